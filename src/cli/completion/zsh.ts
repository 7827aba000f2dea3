import type { Model } from './model.ts';
import { shellTables } from './tables.ts';

export function zshScript(model: Model): string {
  return `#compdef baton
# Completion of baton for zsh. Load it now: source <(baton completion zsh)
# and for good: baton completion zsh > a file _baton in a directory of $fpath

${shellTables(model)}
__baton_ask() {
  local -a flags
  local i
  for ((i = 2; i < CURRENT; i++)); do
    case "$words[i]" in
      (--dir|--server|--token) flags+=("$words[i]" "$words[i + 1]") ;;
    esac
  done
  "$words[1]" complete-names "$1" "$flags[@]" 2>/dev/null </dev/null
}

# Lines with a tabulator before the description.
__baton_describe() {
  local -a lines
  local name text
  while IFS=$'\\t' read -r name text; do
    lines+=("\${name//:/\\\\:}:$text")
  done
  _describe "$@" lines
}

__baton_offer() {
  local -a lines
  lines=("\${(@f)$(cat)}")
  compadd -- "\${(@)lines:#}"
}

__baton_complete() {
  case "$1" in
    (''|anything) ;;
    (files) _files ;;
    (directories) _files -/ ;;
    (of-kind) __baton_complete "$(__baton_kind "$first")" ;;
    (kinds-or-functions) __baton_complete kinds; __baton_complete functions ;;
    (event-kinds) compset -P '*,'; __baton_words "$1" | __baton_offer ;;
    (*) if __baton_asks "$1"; then __baton_ask "$1" | __baton_offer; else __baton_words "$1" | __baton_offer; fi ;;
  esac
}

_baton() {
  local command='' first='' word prev="$words[CURRENT - 1]" cur="$words[CURRENT]"
  integer at=0 i
  for ((i = 2; i < CURRENT; i++)); do
    word="$words[i]"
    case "$word" in
      (--) _files; return ;;
      (-*) __baton_takes "$command" "$word" && ((i++)) ;;
      (*)
        if [[ -z "$command" ]]; then
          command="$word"
        else
          ((at == 0)) && first="$word"
          ((at += 1))
        fi
        ;;
    esac
  done
  if [[ "$prev" == -* ]] && __baton_takes "$command" "$prev"; then
    __baton_complete "$(__baton_value "$command" "$prev")"
  elif [[ "$cur" == --*=* ]] && __baton_takes "$command" "\${cur%%=*}"; then
    compset -P '*='
    __baton_complete "$(__baton_value "$command" "\${cur%%=*}")"
  elif [[ "$cur" == -* ]]; then
    __baton_options "$command" | __baton_describe -o option
  elif [[ -z "$command" ]]; then
    __baton_commands | __baton_describe command
  else
    __baton_complete "$(__baton_position "$command" "$at")"
  fi
}

if [[ "$funcstack[1]" == _baton ]]; then _baton "$@"; else compdef _baton baton; fi
`;
}
