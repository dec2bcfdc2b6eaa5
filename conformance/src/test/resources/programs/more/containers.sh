# Containers in the container: unshare, bubblewrap, umoci, chroot.
# needs: /usr/bin/bwrap
unshare -Urm sh -c 'id -u; cat /proc/self/uid_map | tr -s " "; mount -t tmpfs x /mnt && touch /mnt/f && ls /mnt'; unshare -Upf --mount-proc sh -c 'echo $$; ps ax -o pid= | wc -l' 2>&1
bwrap --unshare-all --ro-bind / / --proc /proc --dev /dev --tmpfs /tmp sh -c 'echo in bwrap; id -u; ls /tmp | wc -l; touch /x 2>&1 | grep -c Read-only'; unshare -u sh -c 'hostname other; hostname'; hostname
cd /tmp; umoci init --layout img && umoci new --image img:a && umoci unpack --image img:a b >/dev/null 2>&1; echo $?; cp /bin/busybox b/rootfs/ 2>/dev/null; ls b 2>/dev/null | sed s,_.*,,
