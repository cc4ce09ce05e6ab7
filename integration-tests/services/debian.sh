# shellcheck shell=bash
# Unpacks a Debian package with the libraries it needs into a folder of its own, where it runs under
# its own C library's loader: no root, no chroot, no change to the machine. Sourced by `services`.
#
# Packages are checked by apt against Debian's keyring and come from the archive, and through the
# proxy if any, that the machine's own apt is set up for.

KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# "ADDRESS SUITE" for each archive that apt knows. Asked this way it needs neither root nor lists.
archives() {
    apt-get --print-uris update |
        sed -n "s#^'\(.*\)/dists/\(.*\)/main/binary-[^/]*/Packages[^/]*'.*#\1 \2#p" | awk '!seen[$0]++'
}
sources() { # sources.list for SUITE: the machine's own lines of it, else the suite from its archive
    local signed='' known own uri
    [ ! -e "$KEYRING" ] || signed="[signed-by=$KEYRING] "
    known=$(archives)
    own=$(awk -v suite="$1" -v signed="$signed" \
        '($2 == suite || index($2, suite "-") == 1) && $2 !~ /backports/ { print "deb " signed $1, $2, "main" }' <<<"$known")
    if [ -n "$own" ]; then echo "$own"; return; fi
    uri=$(awk '$0 !~ /security/ && $2 !~ /updates|backports/ && !n++ { print $1 }' <<<"$known")
    [ -n "$uri" ] || die "apt has no Debian archive in its sources; with a container engine, use compose.yaml"
    echo "deb $signed$uri $1 main"
}
apt_settings() { # how this machine's apt fetches: proxies, certificates, retries
    apt-config dump |
        grep -E '^Acquire::((http|https|socks|mirror)(::| )|Check-|Max-ValidTime|Retries|ForceIPv|Queue-|Pipeline|Source-Symlinks|By-Hash)' || true
}
needless() { # of the packages apt would install, those that only the installation itself needs
    case $1 in
        perl*|libperl*|lib*-perl|debconf|passwd|login*|adduser|base-passwd|locales|libc-l10n|libc-gconv-modules-extra|\
        systemd*|libsystemd-shared|procps|libproc2*|openssl|openssl-provider*|ucf|ssl-cert|sysvinit-utils|\
        postgresql-common*|postgresql-client-common|libpam-modules*|libsemanage*|libsepol*|sensible-utils|netbase|\
        libllvm*|libz3*|tzdata*|readline-common|libgdbm*|libdb5.3*|dpkg|tar|init-system-helpers|hostname|lsb-base) return 0 ;;
    esac
    return 1
}
apt_private() { ( export APT_CONFIG=$1; shift; unset DEBIAN_FRONTEND; "$@" ) }

unpack() { # unpack NAME PACKAGE SUITE...: from the first suite that has it
    local name=$1 package=$2 top=$PROGRAMS/$1 suite; shift 2
    for suite in "$@"; do
        say "$name: getting $package of Debian $suite"
        unpack_from "$name" "$package" "$suite" "$top"
        [ ! -e "$top/.complete" ] || return 0
    done
    die "$name: no suite of $* has $package"
}
unpack_from() { # leaves nothing when the suite has no such package
    local name=$1 package=$2 suite=$3 top=$4 root=$4/root apt=$4/apt listed chosen=() item deb lines
    lines=$(sources "$suite")
    rm -rf "$top"
    mkdir -p "$root/usr/bin" "$root/usr/sbin" "$root/usr/lib" "$root/usr/lib64" "$apt"/{state/lists/partial,cache/archives/partial,parts,none,debs}
    for item in bin sbin lib lib64; do ln -s "usr/$item" "$root/$item"; done    # Debian 12's packages still say /lib
    : >"$apt/status"
    (umask 077; apt_settings >"$apt/parts/settings"; printf '%s\n' "$lines" >"$apt/sources.list")
    cat >"$apt/apt.conf" <<CONF
Dir::State "$apt/state";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
Dir::Etc::parts "$apt/parts";
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "$apt/none";
Dir::Etc::preferences "$apt/none/preferences";
Dir::Etc::preferencesparts "$apt/none";
Acquire::Languages "none";
APT::Sandbox::User "$(id -un)";
APT::Install-Recommends "false";
CONF
    quietly install apt_private "$apt/apt.conf" apt-get -q update
    listed=$(apt_private "$apt/apt.conf" apt-get -s -q install "$package" libc-bin 2>/dev/null | sed -n 's/^Inst \([^ ]*\) (\([^ ]*\) .*/\1=\2/p') || true
    [ -n "$listed" ] || { rm -rf "$top"; return 0; }
    for item in $listed; do needless "${item%%=*}" || chosen+=("$item"); done
    fetch() { cd "$apt/debs" && apt_private "$apt/apt.conf" apt-get -q download "${chosen[@]}"; }
    quietly install fetch
    for deb in "$apt/debs"/*.deb; do
        dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$root" --no-same-owner --keep-directory-symlink \
            --exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' --exclude='./usr/share/locale/*' \
            --exclude='./usr/share/info/*' --exclude='./var/*' --exclude='./etc/*' --exclude='*/llvmjit*' --exclude='*/bitcode/*'
    done
    wrap "$name" "$root"
    rm -rf "$apt"
    : >"$top/.complete"
}

# Puts a small script in each program's place that runs it under the loader it came with. PostgreSQL's
# programs find each other, and their share/, by their own path: so the scripts stand where they stood.
wrap() { # wrap NAME ROOT
    local name=$1 root=$2 loader program missing=''
    loader=$(cd "$root" && find usr/lib -maxdepth 2 -name 'ld-linux*.so.*' | head -n 1)
    [ -n "$loader" ] || die "$name: no loader among the unpacked packages"
    for program in "$root"/usr/lib/postgresql/*/bin/*; do
        [ -f "$program" ] && [ ! -L "$program" ] && [ "$(head -c 4 "$program" | tail -c 3)" = ELF ] || continue
        mv "$program" "$program.elf"
        cat >"$program" <<SCRIPT
#!/bin/sh
# Runs ${program##*/}.elf, beside this, under its own C library.
here=\$(cd -- "\$(dirname -- "\$0")" && pwd -P) || exit 1
root=\${here%/usr/*}
unset LD_PRELOAD LD_LIBRARY_PATH
export LOCPATH="\$root/usr/lib/locale"
exec "\$root/$loader" --inhibit-cache --library-path "\$root/${loader%/*}:\$root/usr/lib" --argv0 "\$here/${program##*/}" "\$here/${program##*/}.elf" "\$@"
SCRIPT
        chmod 755 "$program"
        missing+=$("$root/$loader" --inhibit-cache --library-path "$root/${loader%/*}:$root/usr/lib" --list "$program.elf" 2>&1 | grep 'not found' || true)
    done
    [ -z "$missing" ] || die "$name: libraries are missing: $missing"
}
