# apt: a repository of packages made here, update, install with dependencies, upgrade, remove, purge.
# needs: /usr/bin/apt-ftparchive
cd /tmp; mkdir -p repo; mk() { d=p/$1; rm -rf $d; mkdir -p $d/DEBIAN $d/usr/share/$1; echo "$1 $2" > $d/usr/share/$1/v; printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: x <x@x>\nDepends: %s\nDescription: d\n' $1 $2 "$3" > $d/DEBIAN/control; printf '#!/bin/sh\necho postinst %s "$1"\n' $1 > $d/DEBIAN/postinst; chmod 755 $d/DEBIAN/postinst; dpkg-deb --root-owner-group -b $d repo >/dev/null; }
mk base-x 1 libc6; mk tool-x 1 base-x; idx() { (cd repo; apt-ftparchive packages . > Packages; apt-ftparchive release . > Release); }; idx
rm -rf /etc/apt/sources.list.d/*; echo 'deb [trusted=yes] file:/tmp/repo ./' > /etc/apt/sources.list; chmod -R a+rX repo
apt-get update -qq 2>&1 | grep -v '^W'; echo $?; o='-qq -y -o Dpkg::Use-Pty=0'; apt-get $o install tool-x 2>&1 | grep -v 'Reading database'; cat /usr/share/*-x/v
mk base-x 2 libc6; idx; apt-get update -qq 2>&1 | grep -v '^W'; apt-get $o upgrade 2>&1 | grep -v 'Reading database'; dpkg -s base-x | grep Version; apt-get $o purge base-x 2>&1 | grep -v 'Reading database'; dpkg -l '*-x' 2>/dev/null | grep -c ^ii; ls /usr/share | grep -c -- '-x$'; dpkg --audit; apt-cache policy tool-x | head -3; apt-get check -qq; echo $?
