# shellcheck shell=bash
# Asks the dynamic loader about programs and native files, without running any of them, and prints what it complains of.
# Standard input has lines of three fields: the number of a package, `program`, `library` or `folder`, and a path; in a
# folder all *.node files are libraries. A file's own loader is asked, which its header names; one for another processor
# is left out, unless it is a program. Constructors are not run by --list. What is neither native nor begins with #! the
# kernel does not execute; a shell then runs it as its own script if it is text up to the first line end.
export LC_ALL=C
tab=$'\t'
case $(uname -m) in
aarch64) machine=$'\xb7' ;;
*) machine=$'\x3e' ;;
esac
# `read` drops the zeros of a header: class, order, version, perhaps the system, the type and the processor are left.
native=$'^\x7fELF\x02\x01\x01\x03?[\x02\x03]'$machine$'\x01'
loader=$(printf '%s\n' /lib/ld-musl-*.so.1)
interpreter='(/[A-Za-z0-9_./-]*/ld[A-Za-z0-9_-]*[.]so[.][0-9]+)'
# What Deno loads is for the C library that it was built with.
if host=$(type -P deno); then
    IFS= read -r -N 8192 head <"$host" 2>/dev/null
    [[ $head =~ $interpreter ]] && [ -x "${BASH_REMATCH[1]}" ] && loader=${BASH_REMATCH[1]}
fi
declare -A known

listed() {
    if [[ $1 = */ld-musl-* ]]; then
        "$1" --list "$2" 2>/sandbox/said >/dev/null </dev/null
        [ ! -s /sandbox/said ] || head -n 60 /sandbox/said
    else
        LD_WARN=1 LD_BIND_NOW=1 "$1" --list "$2" 2>&1 </dev/null | sed -n 's/^[[:space:]]*\(.*\) => not found$/Error loading shared library \1: not found/p; /undefined symbol/p' | head -n 60
    fi
}

interpreted() {
    local line=${1%%$'\n'*} program words word
    line=${line#"#!"}
    read -r program words <<<"${line%%$'\r'*}"
    # The kernel takes a carriage return for a part of the name.
    [[ $line = *$'\r' ]] && words="$words"$'\r'
    if [ "${program##*/}" = env ]; then
        for word in $words; do
            case $word in
            -* | *=*) ;;
            *)
                type -P "$word" >/dev/null || printf 'interpreter %q\n' "$word"
                return
                ;;
            esac
        done
    fi
    [ -x "$program" ] || printf 'interpreter %q\n' "$program"
}

# The last byte to be loaded, by the table of segments, lies behind the end of a file that is cut off.
is_whole() {
    local -a words=()
    local at count last=0
    read -r -d '' -a words < <(od -An -v -t u8 -N 4096 "$1")
    ((at = words[4] / 8, count = words[7] & 0xffff))
    for ((; count && at + 4 < ${#words[@]}; count--, at += 7)); do
        (((words[at] & 0xffffffff) != 1 || words[at + 1] + words[at + 4] <= last)) || ((last = words[at + 1] + words[at + 4]))
    done
    [ "$last" -gt 0 ] && [ "$last" -le "$(stat -L -c %s "$1")" ]
}

# What the kernel does not execute, and the shell neither.
unexecutable() {
    local file=$1 head=$2 first='' said
    case $head in
    '') echo 'is an empty file' && return ;;
    $'\x7fELF'*) echo 'is an ELF file for another processor, or cut off: Exec format error' && return ;;
    esac
    if IFS= read -r -d '' -n 4096 first <"$file" && [[ $first != *$'\n'* ]] && [ ${#first} -lt 4096 ]; then
        case $head in
        MZ*) echo 'is a program for Windows: Exec format error' ;;
        [$'\xce\xcf']$'\xfa\xed\xfe'* | $'\xca\xfe\xba\xbe'*) echo 'is a program for macOS: Exec format error' ;;
        *) echo 'is binary, of no format that Linux executes: Exec format error' ;;
        esac
    elif [[ $head = $'\xef\xbb\xbf#!'* ]]; then
        echo 'has a byte order mark before its #! line, so the kernel does not see that line'
    elif ! said=$(bash -n "$file" 2>&1 </dev/null); then
        said=${said%%$'\n'*}
        printf 'has no #! line, so a shell runs it, whose script it is not: %s\n' "${said#"$file: "}"
    fi
}

asked() {
    local number=$1 kind=$2 file=$3 head='' own
    [ -r "$file" ] && [ -f "$file" ] || return
    IFS= read -r -N 8192 head <"$file" 2>/dev/null
    if [[ $head =~ $native ]]; then
        printf 'file\t%s\t%s\t%s\n' "$number" "$kind" "$file"
        own=$loader
        if [ "$kind" = program ]; then
            is_whole "$file" || { echo 'is cut off: its header tells of more than is there' && return; }
            # A program without one is static.
            [[ $head =~ $interpreter ]] || return
            own=${BASH_REMATCH[1]}
            [ -x "$own" ] || { printf 'interpreter %q\n' "$own" && return; }
        fi
        [ ! -x "$own" ] || listed "$own" "$file"
    elif [ "$kind" = program ]; then
        printf 'file\t%s\t%s\t%s\n' "$number" "$kind" "$file"
        if [[ $head = '#!'* ]]; then interpreted "$head"; else unexecutable "$file" "$head"; fi
    fi
}

while IFS=$tab read -r number kind file; do
    if [ "$kind" = folder ]; then
        while IFS= read -r inner; do asked "$number" library "$inner"; done < <(find "$file/" -type f -name '*.node' 2>/dev/null)
    else
        # Many commands are links to one program.
        real=$file
        [ ! -L "$file" ] || real=$(readlink -f "$file")
        [ -z "${known[$number$real]:-}" ] || continue
        known[$number$real]=1
        asked "$number" "$kind" "$file"
    fi
done
echo "done"
