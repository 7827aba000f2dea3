/** What is shown while runs go on: one line that is written over at a terminal, lines elsewhere. */
export class Progress {
  readonly #stream: NodeJS.WriteStream;
  readonly #beganMs: number = performance.now();
  #isOpen = false;
  /** Before each line: which run of how many. */
  prefix = '';

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  readonly show = (line: string): void => {
    const seconds = ((performance.now() - this.#beganMs) / 1_000).toFixed(0).padStart(4);
    const text = `${seconds} s  ${this.prefix}${line}`;
    this.#stream.write(this.#stream.isTTY ? `\r${text}\u001B[K` : `${text}\n`);
    this.#isOpen = this.#stream.isTTY;
  };

  /** What is written next begins a line. */
  end(): void {
    if (this.#isOpen) this.#stream.write('\n');
    this.#isOpen = false;
  }
}
