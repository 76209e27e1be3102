# Snakemake looks here first; everything is in workflow/. Without the second line, rules of an included file are no default.
include: "workflow/Snakefile"


workflow.default_target = "all"
