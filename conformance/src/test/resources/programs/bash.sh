for i in 1 2 3; do echo $i; done | sort -r | tr '\n' ' '; echo
trap 'echo trapped' USR1; kill -USR1 $$
cat <<X | wc -l
a
b
X
(ulimit -n 100; ulimit -n)
(sleep 0.1 & wait; echo waited)
bash -c 'set -m; sleep 5 & kill -STOP %1; sleep 0.2; jobs; kill -CONT %1; kill %1; wait %1; echo rc $?' 2>/dev/null
diff <(seq 3) <(seq 4)
bash -c 'coproc cat; echo hi >&${COPROC[1]}; read -r x <&${COPROC[0]}; echo $x'
echo {1..5} ${RANDOM:+r} $((2**40)); printf '%q\n' "a b"
read -t 0.1 x < <(sleep 1) || echo timeout
exec 5>/tmp/o; echo five >&5; cat /tmp/o
x=$(echo sub; exit 3); echo "$x $?"
(ulimit -f 1; head -c 5000 /dev/zero > /tmp/big; echo "fsize $?"; stat -c %s /tmp/big) 2>/dev/null
(trap '' TERM; kill -TERM $BASHPID; echo survived)
bash -c 'bash -c "kill -SEGV \$\$"; echo $?' 2>/dev/null
yes | head -3; echo "${PIPESTATUS[@]}"
mkfifo /tmp/ff; cat /tmp/ff & echo through >/tmp/ff; wait $!
cd /tmp && pushd /usr >/dev/null && dirs && popd >/dev/null
[[ -d /proc/self && ! -e /nope && /etc/passwd -nt /nope ]] && echo tests
timeout 0.2 sleep 5; echo $?
for i in $(seq 50); do (exit $((i % 3))) & done; wait; echo fifty
trap 'echo bye' EXIT
