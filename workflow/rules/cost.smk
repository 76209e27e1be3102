"""What is printed of a plan: the counts of the jobs and what they cost; every job of a dry run only with -p.

Reads: the plan, and how many images the sets have.
Writes: nothing.
"""

import logging

from snakemake.logging import logger as snakemake_logger
from snakemake_interface_logger_plugins.common import LogEvent

from adaclip.plan.cost import count_images, estimate


class CostPrinter(logging.Handler):
    """Adds the cost to the counts of jobs, in a dry run and at the start of a real one."""

    printed = False

    def emit(self, record):
        # A dry run gives the counts twice.
        if getattr(record, "event", None) == LogEvent.RUN_INFO and not self.printed:
            self.printed = True
            jobs = [
                (job.rule.name, dict(job.wildcards_dict)) for job in workflow.dag.needrun_jobs(exclude_finished=False)
            ]
            images = count_images(PLAN, {name: REGISTRY[name].test for name in PLAN.sets})
            for line in estimate(PLAN, images, jobs).lines():
                snakemake_logger.info(line)
            if workflow.output_settings.dryrun and not workflow.output_settings.printshellcmds:
                snakemake_logger.info("every job with its files, reason and command: snakemake -n -p")


class Brief(logging.Filter):
    """Of a dry run, leaves the counts and the cost: the paper's thousands of jobs are 19,000 lines that nobody reads."""

    counted = False

    def filter(self, record):
        event = getattr(record, "event", None)
        if event in (LogEvent.JOB_INFO, LogEvent.SHELLCMD, LogEvent.WORKFLOW_STARTED):
            return False
        if event == LogEvent.RUN_INFO:
            counted, self.counted = self.counted, True
            return not counted
        return "check individual jobs above" not in str(record.msg)


if workflow.output_settings.dryrun and not workflow.output_settings.printshellcmds:
    for handler in snakemake_logger.handlers:
        handler.addFilter(Brief())

snakemake_logger.addHandler(CostPrinter())
