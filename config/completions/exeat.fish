# fish completion for exeat. What stands below these functions is made from exeat's own table of verbs when it is built.

# The verb, then its words, as far as they stand before the cursor; without options and their values.
function __exeat_before
    set -l verb
    set -l waits no
    for word in (commandline -opc)[2..-1]
        if test $waits = yes
            set waits no
        else if string match -q -- '-*' $word
            set -l takes __exeat_takes_$verb
            contains -- $word $$takes; and set waits yes
        else
            test -z "$verb"; and set verb $word
            echo $word
        end
    end
end

function __exeat_no_verb
    set -l before (__exeat_before)
    not set -q before[1]
end

function __exeat_verb
    set -l before (__exeat_before)
    test "$before[1]" = $argv[1]
end

# VERB NUMBER [more]: whether the cursor is at this of the verb's places, or behind it.
function __exeat_at
    set -l before (__exeat_before)
    test "$before[1]" = $argv[1]; or return
    set -l place (math (count $before) - 1)
    test $place -eq $argv[2]; or test "$argv[3]" = more -a $place -gt $argv[2]
end

# What a list of words and kinds stands for.
function __exeat_words
    for kind in $argv
        switch $kind
            case '<upstream>'
                set -l words (commandline -opc)
                set -l at (contains -i -- --config $words; or contains -i -- -c $words)
                set -l config
                test -n "$at"; and set config --config (string replace -r '^~/' "$HOME/" $words[(math $at + 1)])
                exeat run --print-config $config 2>/dev/null | string replace -rf '^\[upstream (.*)\]$' '$1'
            case '<dir>'
                __fish_complete_directories (commandline -ct)
            case '<command>'
                __fish_complete_subcommand --fcs-skip=2
            case '<host>'
                __fish_print_hostnames
            case '*'
                echo $kind
        end
    end
end

complete -c exeat -f
