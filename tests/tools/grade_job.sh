#!/bin/sh
# SPDX-License-Identifier: MIT
#
# grade_job.sh OUT [N]: one submission of a plan (grade_all.py plan), on whatever machine this is. OUT is a folder
# that all machines see. Which one says N, or the environment, so that the same script is a job of GNU parallel and
# a task of a Slurm array:
#
#   seq 120 | parallel -j4 [-S host1,host2 --wd .] tests/tools/grade_job.sh /shared/out
#   sbatch --array=1-120 tests/tools/grade_job.sh /shared/out
#
# One that was killed, or timed out, is graded by the same line once more; those with a result end at once. Then:
# make grade-pages OUT=/shared/out.
#
#SBATCH --job-name=grade
#SBATCH --cpus-per-task=1
#SBATCH --time=60

out=$1
n=${2:-${SLURM_ARRAY_TASK_ID:-$PARALLEL_SEQ}}
if [ -z "$out" ] || [ -z "$n" ]; then
	echo "grade_job.sh: OUT and which one? neither a second word, a Slurm array nor GNU parallel says so" >&2
	exit 2
fi
# Two at once on one machine are two users there (jail.py).
export GRADE_SLOT="${PARALLEL_JOBSLOT:-$n}"
# sbatch runs a copy of this script from a folder of its own: the tree is where it was submitted.
tree=${SLURM_SUBMIT_DIR:-$(dirname "$0")/../..}
PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$tree/tests/tools/grade_all.py" one "$out" "$n"
