"""Run a whole experiment on a SLURM cluster.

    python slurm_run.py PLAN.toml

Start it where it may stay for hours: in a job of one core, or on a login node if that is allowed.
If it ends early, by a time limit or a fault, start it again: it goes on.
"""

import subprocess
import sys

from dask_jobqueue import SLURMCluster

if __name__ == "__main__":
    cluster = SLURMCluster(
        queue="normal",  # the partition of your cluster
        cores=8,  # of one job; each works on one block of frames
        processes=8,  # as many as cores: one thread each
        memory="16GB",  # of one job
        walltime="04:00:00",
        job_script_prologue=["source ~/interpdisc/bin/activate"],  # your environment
        death_timeout=600,
    )
    # jobs that end at their time limit are replaced, and their blocks done elsewhere
    cluster.adapt(minimum_jobs=1, maximum_jobs=12)
    address = cluster.scheduler_address
    done = subprocess.run(["interpdisc", "run", sys.argv[1], "--scheduler", address], check=False)
    cluster.close()
    sys.exit(done.returncode)
