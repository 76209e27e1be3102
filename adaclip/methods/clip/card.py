"""The cards of CLIP as it is: two rows of AnomalyCLIP's paper, and CLIP with AdaCLIP's prompts."""

from __future__ import annotations

import dataclasses

from adaclip.clip.settings import Numerics
from adaclip.methods.adaclip.sentences import both_states
from adaclip.methods.card import Card, Fact, Fairness
from adaclip.methods.clip.sentences import in_imagenet_templates, two_sentences

_CLIP = "Radford et al.: Learning Transferable Visual Models From Natural Language Supervision, ICML 2021"
_ANOMALYCLIP = "arXiv:2310.18961, not checked: its text was not at hand and there is no code of this row"
_OWN = "this package's own baseline: no paper has this row"


def _two_sentences(class_name: str) -> list[str]:
    normal, anomalous = two_sentences(class_name)
    return [*normal, *anomalous]


def _in_imagenet_templates(class_name: str) -> list[str]:
    normal, anomalous = in_imagenet_templates(class_name)
    return [*normal, *anomalous]


#: One sentence for each state.
CLIP = Card(
    id="clip",
    title="CLIP",
    kind="training-free",
    model="adaclip.methods.clip.model:CLIP",
    paper=f"{_CLIP}, arXiv:2103.00020; as a baseline in Zhou et al.: AnomalyCLIP, ICLR 2024, arXiv:2310.18961",
    licence="MIT (CLIP; the baseline has no published code)",
    reference=Numerics("quick_gelu", "bilinear"),
    smoothing=4.0,
    sentences=_two_sentences,
    fairness=Fairness(
        trained_on=Fact("nothing besides CLIP's own training", _ANOMALYCLIP),
        class_names=Fact("the sets' own, unchanged, in one sentence for each state", _ANOMALYCLIP),
        test_statistics=Fact("none", _ANOMALYCLIP),
        selected_on=Fact("nothing is selected", _ANOMALYCLIP),
        code_and_paper=Fact(
            "no code of this row is published; activation, resize, map and smoothing are taken to be AnomalyCLIP's own",
            _ANOMALYCLIP,
        ),
    ),
)

#: Each state in CLIP's ImageNet templates.
CLIP_AC = dataclasses.replace(
    CLIP,
    id="clip_ac",
    title="CLIP-AC",
    model="adaclip.methods.clip.model:CLIPAC",
    sentences=_in_imagenet_templates,
    fairness=Fairness(
        trained_on=Fact("nothing besides CLIP's own training", _ANOMALYCLIP),
        class_names=Fact("the sets' own, unchanged, in CLIP's 80 ImageNet templates", _ANOMALYCLIP),
        test_statistics=Fact("none", _ANOMALYCLIP),
        selected_on=Fact("nothing is selected", _ANOMALYCLIP),
        code_and_paper=Fact(
            "no code of this row is published; activation, resize, map and smoothing are taken to be AnomalyCLIP's "
            "own; WinCLIP's paper has a CLIP-AC of its own, without a map",
            _ANOMALYCLIP,
        ),
    ),
)

#: AdaCLIP without anything learned: its sentences, its way to a map, its numerics.
CLIP_ADACLIP_PROMPTS = dataclasses.replace(
    CLIP,
    id="clip_adaclip_prompts",
    title="CLIP, AdaCLIP's prompts",
    model="adaclip.methods.clip.model:CLIPWithAdaCLIPPrompts",
    paper=f"{_CLIP}, arXiv:2103.00020; with the sentences of Cao et al.: AdaCLIP, ECCV 2024, arXiv:2407.15795",
    reference=Numerics("gelu", "bicubic"),
    sentences=both_states,
    fairness=Fairness(
        trained_on=Fact("nothing besides CLIP's own training", _OWN),
        class_names=Fact("the sets' own, a hyphen becomes a space", _OWN),
        test_statistics=Fact("none", _OWN),
        selected_on=Fact("nothing is selected; AdaCLIP's sentences were written by its authors", _OWN),
        code_and_paper=Fact(
            "neither CLIP nor CLIP-AC of any paper; weights trained with QuickGELU run with plain GELU, as in AdaCLIP",
            _OWN,
        ),
    ),
)
