#!/usr/bin/env bash
# Runs the tests that need a SLURM cluster on two of them, made for it and removed afterwards: one with accounting, which
# gets all tests, and one without, which gets those in which accounting could matter. Skips where there can be none.
#
#   slurm/test.sh [PYTEST ARGUMENT ...]      arguments for the tests on the cluster with accounting
set -euo pipefail
cd "$(dirname "$0")/.."
home=$(mktemp -d /tmp/bench-test-slurm.XXXXXX)

on_cluster() { # NAME ACCOUNTING FIRST_PORT COMMAND...: start a cluster, run the command with it, remove the cluster
    export SLURM_HOME=$home/$1 SLURM_ACCOUNTING=$2 SLURM_PORTS=$3
    export SLURM_CONF=$SLURM_HOME/slurm.conf
    shift 3
    local status=0
    slurm/local_cluster.sh up >/dev/null || status=$?
    if [ $status = 0 ]; then
        "$@" || status=$?
    fi
    slurm/local_cluster.sh down --purge >/dev/null
    if [ $status = 77 ]; then
        echo "skipped on this machine: all tests that need SLURM"
        status=0
    fi
    return $status
}

# The daemons of a cluster on one machine are at the mercy of its load, and so is when a fault strikes: what fails is
# run once more, which the output shows. What fails twice has failed.
tests() {
    .venv/bin/python -m pytest -m slurm "$@" && return
    [ $? = 1 ] || return
    echo "what failed is run once more"
    .venv/bin/python -m pytest -m slurm --last-failed --last-failed-no-failures none "$@"
}

# Bash gets here at once whatever ends it, SIGTERM included, while what it waited for goes on.
finish() {
    trap '' TERM INT HUP
    pkill -TERM -P $$ -f pytest || true
    local cluster
    for cluster in "$home"/*/; do
        [ ! -d "$cluster" ] || SLURM_HOME=${cluster%/} slurm/local_cluster.sh down --purge >/dev/null || true
    done
    rm -rf "$home"
}

trap finish EXIT
on_cluster accounted on 28000 tests "$@"
on_cluster plain off 28100 tests -k "scancel or requeue or memory or dies"
