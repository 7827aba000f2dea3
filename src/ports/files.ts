/**
 * A file system, as far as durable state needs one. What is written is not durable before its file is synced, and a name (of a
 * file that was created, renamed or removed) not before its folder is; a crash in between may keep any of it.
 */
export interface OpenFile {
  /** At `position`, or at the end. @throws an error of the system: no space left, a bad disk */
  write(bytes: Uint8Array, position?: number): Promise<void>;
  /** The content, and as much of the metadata as reading it back needs. */
  datasync(): Promise<void>;
  close(): Promise<void>;
}

export interface Files {
  exists(path: string): boolean;
  /** Names in a folder, in no order. */
  list(folder: string): string[];
  /** Undefined when the file is not there. */
  read(path: string): Buffer | undefined;
  makeFolder(path: string): void;
  /** append: what is there stays, writes go to its end. create: what was there is gone. overwrite: writes say where they go. */
  open(path: string, how: 'append' | 'create' | 'overwrite'): Promise<OpenFile>;
  truncate(path: string, bytes: number): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  syncFolder(path: string): Promise<void>;
  /** One process per folder. @throws BatonError `io` that names who holds it @returns gives it back */
  lock(path: string): () => void;
}
