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

trap 'rm -rf "$home"' EXIT
on_cluster accounted on 28000 .venv/bin/python -m pytest -m slurm "$@"
on_cluster plain off 28100 .venv/bin/python -m pytest -m slurm -k "scancel or requeue or memory or dies"
