#!/bin/sh
# SPDX-License-Identifier: MIT
#
# explore_job.sh FOLDER N [WORDS…]: one shard of N, on whatever machine this is. FOLDER is one that all
# machines see. Which shard it is says the environment, so that the same script is a job of GNU
# parallel and a task of a Slurm array:
#
#   seq 8 | parallel -N0 -j2 [-S host1,host2 --wd .] tests/tools/explore_job.sh /shared/run 8 'wait.*'
#   sbatch --array=0-7 tests/tools/explore_job.sh /shared/run 8 'wait.*'
#
# SHARD=3 before it runs that one of 0 … 7 by hand. When all have ended: explore.py merge /shared/run. One that
# was killed, or timed out, is started again by the same line; those that have ended end at once.
#
#SBATCH --job-name=explore
#SBATCH --cpus-per-task=1

folder=$1 count=$2
shift 2 || exit 2
shard=${SHARD:-${SLURM_ARRAY_TASK_ID:-${PARALLEL_SEQ:+$((PARALLEL_SEQ - 1))}}}
if [ -z "$shard" ]; then
	echo "explore_job.sh: which shard? neither SHARD, a Slurm array nor GNU parallel says so" >&2
	exit 2
fi
# sbatch runs a copy of this script from a folder of its own: the tree is where it was submitted.
tree=${SLURM_SUBMIT_DIR:-$(dirname "$0")/../..}
PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$tree/tests/tools/explore.py" shard "$folder" "$shard" "$count" "$@"
