# Completes the command line of maitred. Printed by `maitred completions bash`.
_maitred() {
    local line=${COMP_LINE:0:COMP_POINT} at=0 words=() word before rest i

    # Bash splits words also at @, = and :. Parts between which there is no blank are one word.
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        rest=${line:at}
        if ((i == COMP_CWORD)); then
            # Of the last word, only what stands before the cursor.
            before=${rest%%[![:space:]]*}
            word=${rest#"$before"}
        else
            before=${rest%%"$word"*}
        fi
        at=$((at + ${#before} + ${#word}))
        if ((i > 0)) && [[ -z $before ]]; then
            words[${#words[@]} - 1]+=$word
        else
            words+=("$word")
        fi
    done

    # Bash replaces only its own part of the last word, which is the second argument.
    local last=$((${#words[@]} - 1)) kept quoted=
    kept=${words[last]%"$2"}
    if [[ $kept == [\"\']* ]]; then
        words[last]=$2
        kept=
        quoted=yes
    fi

    local found=() candidate
    mapfile -t found < <(
        MAITRED_COMPLETE=bash _CLAP_IFS=$'\n' _CLAP_COMPLETE_INDEX=$last \
            maitred -- "${words[@]}" 2> /dev/null
    )
    COMPREPLY=()
    for candidate in "${found[@]}"; do
        candidate=${candidate#"$kept"}
        [[ -n $quoted ]] || printf -v candidate %q "$candidate"
        COMPREPLY+=("$candidate")
    done
    # A directory or an option with a value goes on.
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=/] ]]; then
        compopt -o nospace 2> /dev/null
    fi
}
# The order is that of the program. Bash before 4.4 sorts.
complete -o nosort -F _maitred maitred 2> /dev/null || complete -F _maitred maitred
