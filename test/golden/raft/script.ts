/**
 * The form of a dialogue (after the datadriven tests of etcd-io/raft): paragraphs of comments, and exchanges of one or more
 * commands, a line `----`, and what is expected. Paragraphs are separated by one empty line.
 */
const RULE = '----';

interface Exchange {
  /** Of the first command, from 1. */
  readonly line: number;
  readonly comments: readonly string[];
  readonly commands: readonly string[];
}

/** @throws Error naming the line when a paragraph of commands has no `----` */
function parse(text: string): Exchange[] {
  const exchanges: Exchange[] = [];
  let line = 1;
  for (const paragraph of text.trimEnd().split('\n\n')) {
    const lines = paragraph.split('\n');
    const comments = lines.filter((each) => each.startsWith('#'));
    const rule = lines.indexOf(RULE);
    const isComment = comments.length === lines.length;
    if (rule < 0 && !isComment) throw new Error(`line ${line}: commands without ${RULE}`);
    const commands = lines.slice(comments.length, isComment ? undefined : rule);
    exchanges.push({ line: line + comments.length, comments, commands });
    line += lines.length + 1;
  }
  return exchanges;
}

/**
 * Carries out the commands of a script.
 * @param run one command → what it says
 * @returns the script with what was said in place of what was expected
 * @throws Error naming the line; `cause` is what a command threw
 */
export function replay(text: string, run: (command: string) => readonly string[]): string {
  const paragraphs = parse(text).map(({ line, comments, commands }) => {
    if (commands.length === 0) return comments;
    const said = commands.flatMap((command, i) => {
      try {
        return run(command);
      } catch (cause) {
        const why = cause instanceof Error ? cause.message : String(cause);
        throw new Error(`line ${line + i}: ${command}: ${why}`, { cause });
      }
    });
    return [...comments, ...commands, RULE, ...(said.length === 0 ? ['silence'] : said)];
  });
  return `${paragraphs.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}
