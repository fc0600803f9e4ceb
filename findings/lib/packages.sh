# SPDX-License-Identifier: MIT
#
# Sourced by every finding: a folder that goes at the end, and packages unpacked into it.
#
#   packages NAME=VERSION …   downloads exactly these versions with apt-get (Debian 12) and unpacks
#                             them under $root; installs nothing and needs no rights
#   closure NAME=VERSION …    the same with everything that they depend on
#   suite NAME                from here on packages come from this Debian (trixie, …), of which only
#                             the lists are read, into the temporary folder
#   expect WHAT SEEN WANTED   one checked statement; the script fails at the first that has changed

set -eu
export LC_ALL=C TZ=UTC
work=$(mktemp -d) root=$work/root
trap 'rm -rf "$work"' EXIT
cd "$work"
options= debian="Debian 12"

suite()
{
	uri=$(apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' |
		sed -n 's/^Debian //p' | head -n 1)
	mkdir -p lists/partial
	echo "deb $uri $1 main" >suite.list
	debian="Debian's $1"
	options="-o Dir::Etc::sourcelist=$work/suite.list -o Dir::Etc::sourceparts=/dev/null
		-o Dir::State::lists=$work/lists -o APT::Sandbox::User=root
		-o Acquire::Check-Valid-Until=false"
	apt-get -qq $options update >/dev/null 2>&1 || {
		echo "the lists of $debian cannot be had here" >&2
		exit 2
	}
}

packages()
{
	mkdir -p debs "$root"
	for package in "$@"; do
		(cd debs && apt-get -qq $options -o APT::Sandbox::User=root download "$package" >/dev/null) || {
			echo "$package cannot be had here: this finding is about $debian" >&2
			exit 2
		}
	done
	unpack
}

closure()
{
	mkdir -p debs/partial "$root"
	# As if nothing were installed, so that the answer does not depend on this machine.
	: >status
	apt-get -qq -y $options -o APT::Sandbox::User=root -o Dir::State::status="$work/status" \
		-o Dir::Cache::archives="$work/debs/" --no-install-recommends --download-only \
		install "$@" >/dev/null || {
		echo "$* cannot be had here: this finding is about $debian" >&2
		exit 2
	}
	unpack
}

unpack()
{
	for deb in debs/*.deb; do
		dpkg -x "$deb" "$root"
	done
	lib=$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu
	PATH=$root/usr/sbin:$root/sbin:$root/usr/bin:$root/bin:$PATH
}

# `unpacked COMMAND …`: runs it with the libraries that were unpacked.
unpacked()
{
	LD_LIBRARY_PATH=$lib "$@"
}

expect()
{
	if [ "$2" != "$3" ]; then
		printf 'CHANGED: %s: %s; it was: %s\n' "$1" "$2" "$3"
		exit 1
	fi
	printf 'as it was: %s: %s\n' "$1" "$2"
}
