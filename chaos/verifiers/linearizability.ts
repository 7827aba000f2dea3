/**
 * Is there one order of the operations, each at some moment between its call and its return, that a single copy could have
 * executed? Wing & Gong's search with Lowe's memory of (operations done, state) pairs ("Testing for linearizability", 2017).
 * An operation whose outcome nobody learned may have happened at any moment after its call, or never.
 */
export interface Operation<Input, Output> {
  /** Who called: for pictures. */
  readonly client: string;
  readonly callMs: number;
  /** Infinity: no answer came, or one that says "perhaps". */
  readonly returnMs: number;
  readonly input: Input;
  /** Undefined with an infinite return. */
  readonly output: Output | undefined;
}

export interface Model<State, Input, Output> {
  readonly initial: State;
  /** The state after it; undefined: with this output it could not have happened here. An undefined output fits any. */
  step(state: State, input: Input, output: Output | undefined): State | undefined;
  /** Equal states have equal keys. */
  key(state: State): string;
}

export type Verdict<Input, Output> =
  | { readonly kind: 'linearizable'; readonly order: readonly Operation<Input, Output>[] }
  /** The longest order that was found, and what could not follow it. */
  | {
      readonly kind: 'violation';
      readonly longest: readonly Operation<Input, Output>[];
      readonly stuck: readonly Operation<Input, Output>[];
    }
  /** The search was given up: says nothing. */
  | { readonly kind: 'unknown'; readonly explored: number };

interface Node<Input, Output> {
  readonly operation: Operation<Input, Output>;
  readonly index: number;
  readonly isCall: boolean;
  /** Of a call: its return; undefined when it never came. */
  match: Node<Input, Output> | undefined;
  previous: Node<Input, Output> | undefined;
  next: Node<Input, Output> | undefined;
}

/** A set of operation numbers that can be a key. */
class Bits {
  readonly #words: Uint32Array;

  constructor(size: number) {
    this.#words = new Uint32Array(Math.ceil(size / 32));
  }

  set(index: number): void {
    this.#words[index >> 5] = (this.#words[index >> 5] ?? 0) | (1 << (index & 31));
  }

  clear(index: number): void {
    this.#words[index >> 5] = (this.#words[index >> 5] ?? 0) & ~(1 << (index & 31));
  }

  key(): string {
    return this.#words.join(',');
  }
}

/** @param maxExplored bound of the search: its worst case is exponential */
export function checkLinearizable<State, Input, Output>(
  history: readonly Operation<Input, Output>[],
  model: Model<State, Input, Output>,
  maxExplored = 2_000_000,
): Verdict<Input, Output> {
  const head = link(history);
  const done = new Bits(history.length);
  const seen = new Set<string>();
  const stack: { readonly node: Node<Input, Output>; readonly state: State }[] = [];
  let returnsLeft = history.filter(({ returnMs }) => returnMs !== Number.POSITIVE_INFINITY).length;
  let state = model.initial;
  let longest: Operation<Input, Output>[] = [];
  let stuck: Operation<Input, Output>[] = [];
  let explored = 0;
  let node = head.next;
  while (returnsLeft > 0) {
    if (node?.isCall === true) {
      const { input, output } = node.operation;
      const after = model.step(state, input, output);
      if (after !== undefined) {
        done.set(node.index);
        const key = `${done.key()} ${model.key(after)}`;
        if (!seen.has(key)) {
          seen.add(key);
          if (++explored > maxExplored) return { kind: 'unknown', explored };
          stack.push({ node, state });
          state = after;
          if (node.match !== undefined) returnsLeft--;
          lift(node);
          node = head.next;
          continue;
        }
        done.clear(node.index);
      }
      node = node.next;
      continue;
    }
    // A return whose call is not in the order yet (or the end): nothing before it can come next.
    if (stack.length >= longest.length) {
      longest = stack.map((entry) => entry.node.operation);
      stuck = waiting(head.next, node);
    }
    const last = stack.pop();
    if (last === undefined) return { kind: 'violation', longest, stuck };
    state = last.state;
    done.clear(last.node.index);
    if (last.node.match !== undefined) returnsLeft++;
    unlift(last.node);
    node = last.node.next;
  }
  return { kind: 'linearizable', order: stack.map((entry) => entry.node.operation) };
}

function waiting<Input, Output>(
  from: Node<Input, Output> | undefined,
  until: Node<Input, Output> | undefined,
): Operation<Input, Output>[] {
  const list: Operation<Input, Output>[] = [];
  for (let node = from; node !== undefined && node !== until; node = node.next)
    if (node.isCall) list.push(node.operation);
  return list;
}

/** Calls and returns in the order of time; at the same moment calls come first, which allows more orders, never fewer. */
function link<Input, Output>(history: readonly Operation<Input, Output>[]): Node<Input, Output> {
  const events: { readonly atMs: number; readonly node: Node<Input, Output> }[] = [];
  for (const [index, operation] of history.entries()) {
    const blank = { operation, index, previous: undefined, next: undefined };
    const call: Node<Input, Output> = { ...blank, isCall: true, match: undefined };
    events.push({ atMs: operation.callMs, node: call });
    if (operation.returnMs === Number.POSITIVE_INFINITY) continue;
    call.match = { ...blank, isCall: false, match: undefined };
    events.push({ atMs: operation.returnMs, node: call.match });
  }
  events.sort((a, b) => a.atMs - b.atMs || Number(b.node.isCall) - Number(a.node.isCall));
  const head: Node<Input, Output> = {
    operation: { client: '', callMs: 0, returnMs: 0, input: undefined as Input, output: undefined },
    index: -1,
    isCall: false,
    match: undefined,
    previous: undefined,
    next: undefined,
  };
  let last = head;
  for (const { node } of events) {
    last.next = node;
    node.previous = last;
    last = node;
  }
  return head;
}

function take<Input, Output>(node: Node<Input, Output>): void {
  if (node.previous !== undefined) node.previous.next = node.next;
  if (node.next !== undefined) node.next.previous = node.previous;
}

function giveBack<Input, Output>(node: Node<Input, Output>): void {
  if (node.previous !== undefined) node.previous.next = node;
  if (node.next !== undefined) node.next.previous = node;
}

function lift<Input, Output>(call: Node<Input, Output>): void {
  take(call);
  if (call.match !== undefined) take(call.match);
}

/** In the reverse order of {@link lift}: each node still knows its neighbours of then. */
function unlift<Input, Output>(call: Node<Input, Output>): void {
  if (call.match !== undefined) giveBack(call.match);
  giveBack(call);
}
