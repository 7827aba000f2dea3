/** The commands of a dialogue; README.md lists them. */
import type { Snapshot } from '../../../src/core/raft/types.ts';
import { replicaId, type ReplicaId } from '../../../src/lib/ids.ts';
import { BLANK, type Stored } from './disk.ts';
import { links, type Links } from './network.ts';
import { messageWords } from './words.ts';
import { World, type Replica } from './world.ts';

/** Far more than any script needs: two replicas that answer each other for ever are a finding. */
const MAX_DELIVERIES = 2_000;
const PATIENCE_MS = 2_000;
const encoder = new TextEncoder();

/** Parses `name=value` options. */
function options(args: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    args.map((arg) => {
      const [name = '', value = ''] = arg.split('=');
      return [name, value];
    }),
  );
}

function milliseconds(text: string | undefined): number {
  const match = /^(\d+)ms$/.exec(text ?? '');
  if (match === null) throw new Error(`a time like 50ms, not ${text}`);
  return Number(match[1]);
}

/** Bytes that tell a chunk that is out of place: no two chunks of one snapshot are alike. */
function snapshotBytes(index: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at++) bytes[at] = index + at * 31 + (at >> 10);
  return bytes;
}

/** `term=7 vote=r2 commit=3 log=1,1,4 no-vote votes-above=5 epoch=2`; the term is at least that of the log. */
function stored(args: readonly string[]): Stored {
  const given = options(args);
  const number = (name: string, otherwise: number): number => Number(given.get(name) ?? otherwise);
  const terms = (given.get('log') ?? '').split(',').filter((term) => term !== '');
  const entries = terms.map((term, i) => ({ index: i + 1, term: Number(term), data: new Uint8Array(0) }));
  const vote = given.get('vote');
  return {
    ...BLANK,
    hardState: {
      term: number('term', entries.at(-1)?.term ?? 0),
      vote: vote === undefined ? '' : replicaId(vote),
      commit: number('commit', 0),
    },
    entries,
    voter: !given.has('no-vote'),
    votesAboveTerm: number('votes-above', 0),
    epoch: number('epoch', 1),
  };
}

type Command = (args: readonly string[]) => void;

export class Dialogue {
  readonly #world = new World();
  #reads = 0;

  /** @throws Error for what is not a command; whatever the core throws */
  run(line: string): readonly string[] {
    const words = line.split(' ');
    const isQuiet = words[0] === 'quietly';
    const [name = '', ...args] = isQuiet ? words.slice(1) : words;
    const command = this.#commands[name];
    if (command === undefined) throw new Error('no such command');
    command(args);
    const said = this.#world.takeSaid();
    return isQuiet ? [] : said;
  }

  #replica(name: string | undefined): Replica {
    return this.#world.get(name ?? '');
  }

  /** One by name, or `all`. */
  #replicas(name: string | undefined): readonly Replica[] {
    return name === undefined || name === 'all' ? [...this.#world.replicas.values()] : [this.#replica(name)];
  }

  #links(text: string | undefined): Links {
    if (text === undefined) return links('*');
    return links(/^r\d$/.test(text) ? `*->${text}` : text);
  }

  readonly #commands: Readonly<Record<string, Command>> = {
    'add-replicas': ([size]) => {
      for (let i = 1; i <= Number(size); i++) this.#world.add(`r${i}`, Number(size));
      this.#world.takeSaid();
    },
    add: ([name, of, size]) => {
      if (of !== 'of') throw new Error('add r4 of 5');
      this.#world.add(name ?? '', Number(size));
      this.#world.takeSaid();
    },
    plant: ([name, ...args]) => {
      this.#world.plant(this.#replica(name), stored(args));
      this.#world.takeSaid();
    },
    crash: ([name]) => this.#world.crash(this.#replica(name)),
    restart: ([name]) => {
      const replica = this.#replica(name);
      this.#world.crash(replica);
      this.#world.start(replica);
    },
    wipe: ([name]) => this.#world.plant(this.#replica(name), { ...BLANK, voter: false }),
    luck: ([name, value]) => {
      this.#replica(name).luck = Number(value);
    },

    campaign: ([name]) => this.#campaign(this.#replica(name)),
    elect: ([name]) => {
      this.#campaign(this.#replica(name));
      this.#deliverAll();
    },
    tick: ([name, ms]) => {
      for (const replica of this.#replicas(name)) this.#world.tick(replica, milliseconds(ms));
    },
    stall: ([name, ms]) => this.#world.jump(this.#replica(name), milliseconds(ms)),
    run: ([ms]) => this.#runAll(milliseconds(ms)),

    deliver: ([on, count]) => {
      for (let n = Number(count ?? this.#world.network.count(this.#links(on))); n > 0; n--) this.#deliver(on);
    },
    'deliver-all': () => this.#deliverAll(),
    drop: ([on]) => this.#tell('loses', this.#world.network.drop(this.#links(on))),
    delay: ([on]) => this.#tell('delays', this.#world.network.delay(this.#links(on))),
    arrive: () => this.#world.network.arrive(),
    duplicate: ([on]) => this.#world.network.duplicate(this.#links(on)),
    cut: (all) => {
      for (const on of all) this.#world.network.cut(links(on));
    },
    isolate: ([name]) => this.#world.network.cut(links(`${name}-*`)),
    heal: () => this.#world.network.heal(),
    network: () => this.#tell('carries', this.#world.network.pending()),

    'slow-disk': ([name]) => {
      this.#replica(name).slowDisk = true;
    },
    sync: ([name, count]) => {
      const replica = this.#replica(name);
      for (let n = Number(count ?? Number.POSITIVE_INFINITY); n > 0 && this.#world.sync(replica);) n--;
    },
    'fail-disk': ([name]) => this.#act(name, (raft) => raft.storageFailed()),
    compact: ([name, index, ...args]) => this.#compact(this.#replica(name), Number(index), options(args)),

    propose: ([name, data]) => this.#propose(this.#replica(name), data ?? ''),
    read: ([name, count]) =>
      this.#act(name, (raft) => {
        for (let n = Number(count ?? 1); n > 0; n--) {
          const ctx = ++this.#reads;
          if (!raft.readIndex(ctx)) this.#world.say(`${name} refuses read ${ctx}`);
        }
      }),
    transfer: ([name, to]) =>
      this.#act(name, (raft) => {
        if (!raft.transferLeadership(replicaId(to ?? ''))) this.#world.say(`${name} refuses to transfer`);
      }),
    hint: ([name]) =>
      this.#act(name, (raft, { clockMs }) => raft.leaderGone(raft.status().leader as ReplicaId, clockMs)),
    answer: ([name, leader, what]) => {
      if (what !== 'gone' && what !== 'alive') throw new Error('answer r2 r1 gone|alive');
      this.#act(name, (raft, { clockMs }) =>
        raft.probeResult(replicaId(leader ?? ''), what === 'gone', clockMs),
      );
    },
    probed: ([name]) => this.#act(name, (raft, { clockMs }) => raft.probed(clockMs)),
    artifacts: ([name, index]) =>
      this.#act(name, (raft, { clockMs }) => raft.artifactsReady(Number(index), clockMs)),

    status: ([name]) => {
      for (const replica of this.#replicas(name)) this.#world.status(replica);
    },
    'may-act': ([name]) => {
      const { id, running, clockMs } = this.#replica(name);
      this.#world.say(`${id} ${running.mayAct(clockMs) ? 'may act' : 'may not act'}`);
    },
    successor: ([name]) =>
      this.#world.say(`successor ${this.#replica(name).running.status().successor || 'none'}`),
  };

  #act(name: string | undefined, action: (raft: Replica['running'], replica: Replica) => void): void {
    const replica = this.#replica(name);
    action(replica.running, replica);
    this.#world.pump(replica);
  }

  #tell(verb: string, messages: ReturnType<World['network']['pending']>): void {
    for (const message of messages)
      this.#world.say(`network ${verb} ${message.from}->${message.to} ${messageWords(message)}`);
  }

  /** Time passes until its election timer ends. */
  #campaign(replica: Replica): void {
    const { role, term } = replica.running.status();
    if (role === 'leader') throw new Error(`${replica.id} leads`);
    const before = replica.lastSaid;
    this.#world.tick(replica, PATIENCE_MS, () => replica.lastSaid !== before);
    if (replica.lastSaid === before) throw new Error(`${replica.id} does not campaign beyond T${term}`);
  }

  #deliver(on: string | undefined): void {
    const message = this.#world.network.next(this.#links(on));
    if (message !== undefined) this.#world.deliver(message);
  }

  #deliverAll(): void {
    for (let n = 0; this.#world.network.count(links('*')) > 0; n++) {
      if (n >= MAX_DELIVERIES) throw new Error('the network does not come to rest');
      this.#deliver('*');
    }
  }

  /** Time passes for all alike, and nothing is held. */
  #runAll(ms: number): void {
    for (let passed = 0; passed < ms; passed += 5) {
      for (const replica of this.#replicas('all')) this.#world.tick(replica, 5);
      this.#deliverAll();
    }
  }

  #compact(replica: Replica, index: number, given: ReadonlyMap<string, string>): void {
    const term = replica.disk.synced.entries.find((entry) => entry.index === index)?.term;
    if (term === undefined) throw new Error(`${replica.id} has no entry ${index}`);
    const data = snapshotBytes(index, Number(given.get('bytes') ?? 100));
    const snapshot: Snapshot = { index, term, data };
    const keepFrom = Number(given.get('keep') ?? index + 1);
    replica.disk.compact(snapshot);
    replica.running.compacted(snapshot, keepFrom);
  }

  #propose(replica: Replica, data: string): void {
    const result = replica.running.propose(encoder.encode(data));
    const outcome = result.ok
      ? `takes ${data} as ${result.index}@${result.term}`
      : `refuses ${data}: ${result.reason}`;
    this.#world.say(`${replica.id} ${outcome}`);
    this.#world.pump(replica);
  }
}
