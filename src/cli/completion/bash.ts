import type { Model } from './model.ts';
import { shellTables } from './tables.ts';

export function bashScript(model: Model): string {
  return `# Completion of baton for bash. Load it now: source <(baton completion bash)
# and for good: baton completion bash > ~/.local/share/bash-completion/completions/baton

${shellTables(model)}
__baton_ask() {
  local i flags=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "\${COMP_WORDS[i]}" in
      --dir | --server | --token) flags+=("\${COMP_WORDS[i]}" "\${COMP_WORDS[i + 1]}") ;;
    esac
  done
  "\${COMP_WORDS[0]}" complete-names "$1" "\${flags[@]}" 2>/dev/null </dev/null
}

# Names of files may have spaces: what is asked for comes a line each.
__baton_offer() {
  local line
  while IFS= read -r line; do
    line=\${line%%$'\\t'*}
    [[ $line == "$cur"* ]] && COMPREPLY+=("$line")
  done
}

__baton_complete() {
  local kept=$cur head=''
  case "$1" in
    '' | anything) ;;
    files) compopt -o filenames 2>/dev/null; __baton_offer < <(compgen -f -- "$cur") ;;
    directories) compopt -o filenames 2>/dev/null; __baton_offer < <(compgen -d -- "$cur") ;;
    of-kind) __baton_complete "$(__baton_kind "$first")" ;;
    kinds-or-functions) __baton_complete kinds; __baton_complete functions ;;
    event-kinds)
      [[ $cur == *,* ]] && head=\${cur%,*},
      cur=\${cur##*,}
      __baton_offer < <(__baton_words "$1")
      cur=$kept
      COMPREPLY=("\${COMPREPLY[@]/#/$head}")
      ;;
    *) if __baton_asks "$1"; then __baton_offer < <(__baton_ask "$1"); else __baton_offer < <(__baton_words "$1"); fi ;;
  esac
}

_baton() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} command='' first='' at=0 i word
  COMPREPLY=()
  # --name=value comes in three words.
  [[ $cur == = ]] && cur=''
  [[ $prev == = ]] && prev=\${COMP_WORDS[COMP_CWORD - 2]}
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    case "$word" in
      --) __baton_complete files; return ;;
      -*)
        if __baton_takes "$command" "$word"; then
          [[ \${COMP_WORDS[i + 1]} == = ]] && ((i++))
          ((i++))
        fi
        ;;
      *)
        if [[ -z $command ]]; then
          command=$word
        else
          ((at == 0)) && first=$word
          ((at++))
        fi
        ;;
    esac
  done
  if [[ $prev == -* ]] && __baton_takes "$command" "$prev"; then
    __baton_complete "$(__baton_value "$command" "$prev")"
  elif [[ $cur == -* ]]; then
    __baton_offer < <(__baton_options "$command")
  elif [[ -z $command ]]; then
    __baton_offer < <(__baton_commands)
  else
    __baton_complete "$(__baton_position "$command" "$at")"
  fi
}

complete -F _baton baton
`;
}
