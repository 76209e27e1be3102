"use strict";

// Theme: follows the system until someone chooses. A page opened from a file may not be allowed to remember.
// This stands in the head, so that nothing is painted in the other theme first.
const theme = (() => {
  const order = ["system", "light", "dark"];
  const memory = {
    get: () => { try { return localStorage.getItem("adaclip-theme"); } catch { return null; } },
    set: (value) => { try { localStorage.setItem("adaclip-theme", value); } catch { /* not allowed here */ } },
  };
  let chosen = order.includes(memory.get()) ? memory.get() : "system";
  const apply = () => {
    if (chosen === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = chosen;
    return chosen;
  };
  const next = () => {
    chosen = order[(order.indexOf(chosen) + 1) % order.length];
    memory.set(chosen);
    return apply();
  };
  return { apply, next };
})();
theme.apply();
