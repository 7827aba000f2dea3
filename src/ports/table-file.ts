/** Where a data plane keeps what it must not ask for again: written behind, read once at the start. */
export interface TableFile {
  /** Undefined when there is none. @throws BatonError `io` */
  load(): Promise<Uint8Array | undefined>;
  /** Replaces the content as a whole: a reader sees the old or the new. @throws BatonError `io` */
  save(content: Uint8Array): Promise<void>;
}
