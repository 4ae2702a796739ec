#!/usr/bin/env bash
# A real SLURM cluster on this machine, for tests and laptops: its nodes are processes, its GPUs links to nothing.
#
#   slurm/local_cluster.sh up                    start it (again); prints the `export SLURM_CONF=...` to use
#   slurm/local_cluster.sh down [--purge]        cancel its jobs and stop it; --purge removes its folder too
#   slurm/local_cluster.sh status                what runs; exit status 1 unless everything does
#   slurm/local_cluster.sh stop-controller | start-controller
#   slurm/local_cluster.sh stop-accounting | start-accounting
#   slurm/local_cluster.sh stop-node NAME  | start-node NAME
#
# Environment, read when the cluster is made; clusters that differ in folder and ports run side by side:
#   SLURM_HOME        folder of settings, state and logs         (/tmp/bench-cluster)
#   SLURM_PORTS       first of the 100 ports that it may use     (27000)
#   SLURM_NODES       nodes                                      (2)
#   SLURM_CPUS        CPUs of each, as many as you like          (4)
#   SLURM_MEMORY      MB of each, likewise                       (16000)
#   SLURM_GPUS        pretended GPUs of each                     (2)
#   SLURM_ACCOUNTING  on: slurmdbd and a MariaDB; off: no sacct  (on)
#   SLURM_GRACE       seconds between a preempted job's SIGTERM and its end  (0)
#
# Jobs above their --mem are killed. Jobs of partition `main` send those of `scavenger` back to the queue.
# Needs root. Exit status 77: this machine cannot run it, and why.
set -euo pipefail

home=${SLURM_HOME:-/tmp/bench-cluster}
ports=${SLURM_PORTS:-27000}
nodes=${SLURM_NODES:-2}
cpus=${SLURM_CPUS:-4}
memory=${SLURM_MEMORY:-16000}
gpus=${SLURM_GPUS:-2}
accounting=${SLURM_ACCOUNTING:-on}
grace=${SLURM_GRACE:-0}
name=bench$ports # of the cluster; its nodes are bench27000n1 and so on
database=$home/database
counter=/var/tmp/bench-cluster-next-job-id # outlives the cluster: see first_job_id
export SLURM_CONF=$home/slurm.conf
# Nothing here may speak to another cluster that the caller has in mind.
unset SLURM_CLUSTERS SBATCH_CLUSTERS SQUEUE_CLUSTERS

say() { printf '%s\n' "$*" >&2; }

fail() {
    local status=$1
    shift
    say "local_cluster.sh: $*"
    exit "$status"
}

within() { # SECONDS COMMAND...: repeat the command until it succeeds
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $deadline ] || return 1
        sleep 0.1
    done
}

# Clusters share /etc/hosts and the numbers of jobs.
lock_machine() { exec {machine}>/run/lock/local_cluster.lock && flock "$machine"; }

unlock_machine() { exec {machine}>&-; }

# --- processes --------------------------------------------------------------------------------------------------------

ours() { # PID: whether a process was started with this cluster's settings, so that a reused number harms nobody
    grep -qzxF "SLURM_CONF=$SLURM_CONF" "/proc/$1/environ" 2>/dev/null
}

running() { # PIDFILE
    local pid
    pid=$(cat "$1" 2>/dev/null) && [ -n "$pid" ] && ours "$pid"
}

gone() { ! ours "$1"; }

end() { # PID: first gently
    kill "$1" 2>/dev/null || return 0
    within 15 gone "$1" || { kill -KILL "$1" 2>/dev/null && within 5 gone "$1"; } || true
}

stop() { # PIDFILE
    running "$1" && end "$(cat "$1")"
    rm -f "$1"
}

log_of() { tail -n 20 "$home/log/$1.log" >&2 2>/dev/null || true; }

start_controller() {
    running "$home/run/slurmctld.pid" && return
    slurmctld -f "$SLURM_CONF" >>"$home/log/slurmctld.log" 2>&1 || true
    within 30 scontrol ping || { log_of slurmctld && fail 1 "slurmctld does not start"; }
}

start_node() { # NAME
    running "$home/run/$1.pid" && return
    mkdir -p "$home/spool/$1"
    slurmd -f "$SLURM_CONF" -N "$1" >>"$home/log/$1.log" 2>&1 || true
    within 15 running "$home/run/$1.pid" || { log_of "$1" && fail 1 "slurmd of $1 does not start"; }
}

start_accounting() {
    start_database
    running "$home/run/slurmdbd.pid" && return
    # The one way to tell the client library inside slurmdbd where the socket is.
    MYSQL_UNIX_PORT=$database/socket slurmdbd >>"$home/log/slurmdbd.log" 2>&1 || true
    within 60 sacctmgr --noheader show cluster || { log_of slurmdbd && fail 1 "slurmdbd does not start"; }
}

start_database() {
    running "$database/pid" && return
    if [ ! -d "$database/data/mysql" ]; then
        mkdir -p "$database/data"
        mariadb-install-db --no-defaults --user=root --datadir="$database/data" --skip-test-db \
            --auth-root-authentication-method=socket >"$home/log/database.log" 2>&1 ||
            { log_of database && fail 1 "MariaDB cannot be set up"; }
    fi
    # As root, because another user may not reach a home inside a private folder. Accounts of a test need not survive a
    # power cut; not waiting for the disk makes it quick.
    setsid mariadbd --no-defaults --user=root --datadir="$database/data" --socket="$database/socket" \
        --pid-file="$database/pid" --skip-networking --innodb-buffer-pool-size=64M --innodb-log-file-size=16M \
        --innodb-flush-log-at-trx-commit=0 --innodb-lock-wait-timeout=900 \
        >>"$home/log/database.log" 2>&1 </dev/null &
    within 60 mariadb-admin --socket="$database/socket" --user=root ping ||
        { log_of database && fail 1 "MariaDB does not start"; }
}

munge_works() { munge --no-input | unmunge; }

start_munge() { # one for the machine, shared with every other cluster
    munge_works >/dev/null 2>&1 && return
    if [ ! -s /etc/munge/munge.key ]; then
        (umask 077 && head -c 1024 /dev/urandom >/etc/munge/munge.key)
        chown munge: /etc/munge/munge.key
    fi
    install -d -o munge -g munge -m 755 /run/munge
    runuser -u munge -- munged --force >>"$home/log/munged.log" 2>&1 || true
    within 10 munge_works || { log_of munged && fail 1 "munged does not start"; }
    touch "$home/run/munged.ours"
}

stop_munge() { # only if it is ours and nobody else's by now
    [ -e "$home/run/munged.ours" ] && ! pgrep -x slurmctld >/dev/null || return 0
    munged --stop >/dev/null 2>&1 || true
    rm -f "$home/run/munged.ours"
}

# --- settings ---------------------------------------------------------------------------------------------------------

has_accounting() { grep -q '^AccountingStorageType=.*slurmdbd' "$SLURM_CONF"; }

node_names() { sed -n 's/^NodeName=\([^ ]*\).*/\1/p' "$SLURM_CONF"; }

check_node() { # NAME
    node_names | grep -qxF "${1:-}" || fail 2 "no node ${1:-}; valid: $(node_names | paste -sd ' ')"
}

check_settings() {
    local value
    for value in "$ports" "$nodes" "$cpus" "$memory" "$gpus" "$grace"; do
        [[ $value =~ ^[0-9]{1,6}$ ]] || fail 2 "$value is no whole number; see the head of this script"
    done
    [[ $accounting =~ ^(on|off)$ ]] || fail 2 "SLURM_ACCOUNTING is on or off, not $accounting"
    [[ $home =~ ^/[A-Za-z0-9/._-]{1,80}$ ]] || fail 2 "SLURM_HOME must be a short absolute path without blanks, not $home"
    ((nodes >= 1 && nodes <= 90)) || fail 2 "SLURM_NODES is between 1 and 90, not $nodes"
    [ ! -e "$SLURM_CONF" ] || grep -qxF "SlurmctldPort=$ports" "$SLURM_CONF" ||
        fail 2 "the cluster in $home was made with another SLURM_PORTS; purge it, or choose another SLURM_HOME"
}

# Results in a folder of submitit's carry job numbers, so no later cluster may give the same again. Half the seconds
# since 2025 last until 2029. The file remembers what clusters gave when they were stopped, and 2000 for those that never
# were.
first_job_id() {
    local clock next
    lock_machine
    clock=$((($(date +%s) - 1735689600) / 2 % 66000000 + 1))
    next=$(cat "$counter" 2>/dev/null || echo 0)
    next=$((next > clock && next < 66000000 ? next : clock))
    echo $((next + 2000)) >"$counter"
    unlock_machine
    echo "$next"
}

keep_next_job_id() {
    local next
    next=$(scontrol show config 2>/dev/null | sed -n 's/^NEXT_JOB_ID *= *//p')
    lock_machine
    if [ "${next:-0}" -gt "$(cat "$counter" 2>/dev/null || echo 0)" ]; then echo "$next" >"$counter"; fi
    unlock_machine
}

write_settings() {
    [ -s "$home/first_job_id" ] || first_job_id >"$home/first_job_id"
    write_gres
    # slurmd looks for cgroups even if nothing uses them; this kind it does not miss where a container has none.
    echo CgroupPlugin=cgroup/v1 >"$home/cgroup.conf"
    write_slurm_conf >"$SLURM_CONF"
    write_slurmdbd_conf
    write_hosts
}

write_gres() {
    local number devices=()
    : >"$home/gres.conf"
    [ "$gpus" -gt 0 ] || return 0
    mkdir -p "$home/gpus"
    for ((number = 0; number < gpus; number++)); do
        devices+=("$home/gpus/gpu$number")
        ln -sfn /dev/null "$home/gpus/gpu$number" # SLURM takes nothing but a device
    done
    echo "Name=gpu File=$(IFS=, && echo "${devices[*]}")" >"$home/gres.conf"
}

write_slurm_conf() {
    local number resources="CPUs=$cpus RealMemory=$memory State=UNKNOWN"
    [ "$gpus" -eq 0 ] || resources+=" Gres=gpu:$gpus"
    cat <<CONF
ClusterName=$name
SlurmctldHost=localhost
SlurmctldPort=$ports
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
# A job that is requeued may start again after this many seconds.
AuthInfo=cred_expire=5
StateSaveLocation=$home/state
SlurmdSpoolDir=$home/spool/%n
SlurmctldPidFile=$home/run/slurmctld.pid
SlurmdPidFile=$home/run/%n.pid
SlurmctldLogFile=$home/log/slurmctld.log
SlurmdLogFile=$home/log/%n.log
FirstJobId=$(cat "$home/first_job_id")
MaxJobId=67000000
# Without cgroups, memory is sampled each second and jobs that have too much are killed.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=$((memory / cpus))
GresTypes=gpu
SwitchType=switch/none
MpiDefault=none
SlurmdParameters=config_overrides
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
KillWait=5
# Without accounting this is how long the outcome of a job can be asked for, in seconds.
MinJobAge=300
# A node that does not answer for so long is down, and its jobs go back to the queue.
SlurmdTimeout=20
ReturnToService=1
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE PriorityTier=10 PreemptMode=OFF
PartitionName=scavenger Nodes=ALL MaxTime=INFINITE PriorityTier=1 PreemptMode=REQUEUE GraceTime=$grace
CONF
    if [ "$accounting" = on ]; then
        printf '%s\n' AccountingStorageType=accounting_storage/slurmdbd AccountingStorageHost=localhost \
            "AccountingStoragePort=$((ports + 1))" AccountingStorageTRES=gres/gpu
    else
        echo AccountingStorageType=accounting_storage/none
    fi
    for ((number = 1; number <= nodes; number++)); do
        echo "NodeName=${name}n$number NodeAddr=127.0.0.1 NodeHostname=localhost Port=$((ports + 9 + number)) $resources"
    done
}

write_slurmdbd_conf() {
    rm -f "$home/slurmdbd.conf"
    [ "$accounting" = on ] || return 0
    (umask 077 && cat >"$home/slurmdbd.conf") <<CONF
AuthType=auth/munge
DbdHost=localhost
DbdPort=$((ports + 1))
SlurmUser=root
LogFile=$home/log/slurmdbd.log
PidFile=$home/run/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc=slurm
CONF
}

# Processes of one training find each other by the names of their nodes.
write_hosts() {
    edit_hosts "127.0.0.1 $(node_names | paste -sd ' ') # $name"
}

edit_hosts() { # [LINE]: in place of the one that this cluster has; containers let nobody replace the file itself
    local hosts
    lock_machine
    hosts=$(grep -v " # $name\$" /etc/hosts || true)
    printf '%s\n' "$hosts" ${1:+"$1"} 2>/dev/null >/etc/hosts || say "warning: /etc/hosts cannot be written"
    unlock_machine
}

# --- packages ---------------------------------------------------------------------------------------------------------

installed() { [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

install_packages() {
    local package missing=() wanted=(munge slurm-client slurmctld slurmd)
    [ "$accounting" = off ] || wanted+=(slurmdbd mariadb-server)
    for package in "${wanted[@]}"; do installed "$package" || missing+=("$package"); done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installing ${missing[*]}"
    keep_services_down
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update && apt-get install --yes --no-install-recommends "${missing[@]}"; } >"$home/log/apt.log" 2>&1 ||
        { log_of apt && fail 77 "cannot install ${missing[*]}"; }
}

keep_services_down() { # the packages would start services that are configured for no cluster
    local policy=/usr/sbin/policy-rc.d
    [ ! -e $policy ] || return 0
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
}

# --- commands ---------------------------------------------------------------------------------------------------------

up() {
    local node
    check_settings
    mkdir -p "$home"/{log,run,spool,state}
    install_packages
    if running "$home/run/slurmctld.pid"; then
        say "already up, with the settings that it was started with"
    else
        write_settings
    fi
    start_munge
    ! has_accounting || register
    start_controller
    for node in $(node_names); do start_node "$node"; done
    within 30 all_nodes_ready || { sinfo >&2 && fail 1 "some nodes are not ready"; }
    say "$name is up: $(node_names | paste -sd ' ')"
    echo "export SLURM_CONF=$SLURM_CONF"
}

register() {
    start_accounting
    sacctmgr --noheader show cluster format=cluster%40 | grep -qw "$name" ||
        sacctmgr --immediate add cluster "$name" >/dev/null
}

all_nodes_ready() {
    [ "$(sinfo --noheader --Node --states=idle,mixed,allocated --format=%N | sort -u)" = "$(node_names | sort -u)" ]
}

down() {
    local file
    if [ -e "$SLURM_CONF" ]; then
        if running "$home/run/slurmctld.pid"; then
            keep_next_job_id
            squeue --noheader --format=%A | sort -u | xargs --no-run-if-empty scancel || true
            within 15 no_jobs || true
        fi
        for file in "$home"/run/*.pid "$database/pid"; do
            [ ! -e "$file" ] || [ "$file" = "$home/run/slurmdbd.pid" ] || [ "$file" = "$database/pid" ] || stop "$file"
        done
        # Those that keep the accounts go last: the others have something to tell them.
        stop "$home/run/slurmdbd.pid"
        stop "$database/pid"
        end_leftovers
        stop_munge
    fi
    if [ "${1:-}" = --purge ]; then
        name=$(sed -n 's/^ClusterName=//p' "$SLURM_CONF" 2>/dev/null || echo "$name")
        edit_hosts
        rm -rf "$home"
    fi
    say "$name is down"
}

no_jobs() { [ -z "$(squeue --noheader)" ]; }

end_leftovers() { # jobs whose node or controller was gone already
    local process pid
    for process in /proc/[0-9]*; do
        pid=${process#/proc/}
        if [ "$pid" = $$ ] || ! ours "$pid"; then continue; fi
        if [[ $(cat "$process/comm" 2>/dev/null) == slurmstepd ]] || grep -qz '^SLURM_JOB_ID=' "$process/environ"; then
            kill -KILL "$pid" 2>/dev/null || true
        fi
    done
}

status() {
    local file complete=0 wanted=("$home/run/slurmctld.pid") node
    [ -e "$SLURM_CONF" ] || { say "$name: no cluster in $home" && return 1; }
    for node in $(node_names); do wanted+=("$home/run/$node.pid"); done
    ! has_accounting || wanted+=("$home/run/slurmdbd.pid" "$database/pid")
    for file in "${wanted[@]}"; do
        if running "$file"; then
            echo "running  ${file#"$home"/} $(cat "$file")"
        else
            echo "stopped  ${file#"$home"/}"
            complete=1
        fi
    done
    [ $complete -ne 0 ] || sinfo
    return $complete
}

main() {
    local command=${1:-}
    [[ $command =~ ^(up|down|status|(start|stop)-(controller|accounting|node))$ ]] ||
        fail 2 "expected up, down, status or another command that the head of this script lists"
    [ "$(id -u)" -eq 0 ] || fail 77 "needs root"
    command -v apt-get >/dev/null || fail 77 "needs Debian or a relative, whose packages it installs"
    shift
    case $command in
        up) up ;;
        down) down "$@" ;;
        status) status ;;
        *) [ -e "$SLURM_CONF" ] || fail 2 "no cluster in $home; start it with up" ;;&
        start-controller) start_controller ;;
        stop-controller) stop "$home/run/slurmctld.pid" ;;
        start-accounting) start_accounting ;;
        stop-accounting) stop "$home/run/slurmdbd.pid" ;;
        start-node) check_node "${1:-}" && start_node "$1" ;;
        stop-node) check_node "${1:-}" && stop "$home/run/$1.pid" ;;
    esac
}

# One command at a time per cluster. The daemons must not inherit the lock.
if [ "${BENCH_CLUSTER_LOCKED:-}" != "$home" ] && [ "$(id -u)" -eq 0 ] && [ "${1:-}" != status ]; then
    BENCH_CLUSTER_LOCKED=$home exec flock --close "/run/lock/local_cluster${home//\//-}.lock" "$0" "$@"
fi
main "$@"
