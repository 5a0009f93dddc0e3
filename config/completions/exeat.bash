# bash completion for exeat                                       -*- shell-script -*-
# The table is made from exeat's own table of verbs when it is built.

_exeat_table() {
    cat <<'END'
@TABLE@
END
}

# The upstreams of the configuration that the command line names, or of the usual one.
_exeat_upstreams() {
    exeat run --print-config ${1:+--config "$1"} 2>/dev/null | sed -n 's/^\[upstream \(.*\)\]$/\1/p'
}

# _exeat_offer CONFIG CURRENT KIND...: what a list of words and kinds stands for.
_exeat_offer() {
    local config=$1 cur=$2 kind
    local -a how
    shift 2
    for kind; do
        case $kind in
        '<upstream>') how=(-W "$(_exeat_upstreams "$config")") ;;
        '<file>') how=(-f) ;;
        '<dir>') how=(-d) ;;
        '<command>') how=(-c) ;;
        '<host>') how=(-A hostname) ;;
        *) how=(-W "$kind") ;;
        esac
        case $kind in
        '<file>' | '<dir>') compopt -o filenames 2>/dev/null ;;
        esac
        mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen "${how[@]}" -- "$cur")
    done
}

_exeat() {
    local cur=${COMP_WORDS[COMP_CWORD]} verb='' place=0 config='' waits='' ends='' other='' i word
    local what owner letter name takes words
    local -a line offered
    COMPREPLY=()
    mapfile -t line < <(_exeat_table)
    # What stands before the cursor: the verb, how many of its words, and whether an option waits for its value. "=" is a word of its own for bash.
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ $waits ]]; then
            [[ $word == = ]] && continue
            [[ $waits == --config || $waits == -c ]] && config=${word/#\~/$HOME}
            waits=''
        elif [[ $word == -- ]]; then
            ends=yes
        elif [[ $word == -* && ! $ends ]]; then
            for what in "${line[@]}"; do
                IFS='|' read -r what owner letter name takes words <<<"$what"
                if [[ $what == option && $owner == "$verb" && $takes && ($word == "--$name" || $word == "-$letter") ]]; then
                    waits=$word
                fi
            done
        elif [[ ! $verb ]]; then
            verb=$word
            for what in "${line[@]}"; do
                [[ $what == "place|$verb|0+|<command>" ]] && other=yes
            done
        elif [[ $other ]]; then # the rest is another program's command line
            if declare -F _command_offset >/dev/null; then _command_offset "$i"; else _exeat_offer '' "$cur" '<file>'; fi
            return
        else
            ((place++))
        fi
    done
    [[ $waits && $cur == = ]] && cur=''
    for what in "${line[@]}"; do
        IFS='|' read -r what owner letter name takes words <<<"$what"
        case $what in
        verb)
            if [[ ! $verb && ! $waits && $cur != -* ]]; then offered+=("$owner"); fi
            ;;
        option)
            [[ $owner == "$verb" ]] || continue
            if [[ $waits == "--$name" || $waits == "-$letter" ]]; then
                IFS=' ' read -r -a offered <<<"${words%%|*}"
            elif [[ ! $waits && ! $ends && $cur == -* ]]; then
                offered+=("--$name")
            fi
            ;;
        place) # letter: the number, name: the words
            if [[ $owner == "$verb" && ! $waits && ($cur != -* || $ends) && ($letter == "$place" || ($letter == *+ && $place -ge ${letter%+})) ]]; then
                IFS=' ' read -r -a offered <<<"$name"
            fi
            ;;
        esac
    done
    _exeat_offer "$config" "$cur" "${offered[@]}"
}

complete -F _exeat exeat
