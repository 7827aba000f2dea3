/** Bodies: bytes with backpressure, independent of any HTTP library. */

/**
 * A producer of bytes that runs when asked. Nothing flows before {@link ByteSource.start}; a sink that answers `false`
 * gets nothing more until {@link ByteSource.resume}.
 */
export interface ByteSource {
  /** Called once. */
  start(sink: ByteSink): void;
  resume(): void;
  /** The consumer has lost interest; no further call reaches the sink. Idempotent. */
  cancel(): void;
}

export interface ByteSink {
  /** False asks for a pause. */
  write(chunk: Uint8Array): boolean;
  end(): void;
  /** The producer failed before the end. */
  fail(error: Error): void;
}
