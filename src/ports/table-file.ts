/** Where a data plane keeps what it must not ask for again: written behind, read once at the start. */
export interface TableFile {
  /** Undefined when there is none. @throws BatonError `io` */
  load(): Promise<Uint8Array | undefined>;
  /**
   * Replaces the content as a whole: a reader sees the old or the new. Each piece is taken when the one before it is written.
   * @throws BatonError `io`
   */
  save(pieces: Iterable<Uint8Array>): Promise<void>;
}
