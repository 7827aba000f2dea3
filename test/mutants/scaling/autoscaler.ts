/** Bugs of the decision how many sandboxes a function has; two of them were Knative's. */
import type { Edit, Mutant } from '../mutant.ts';

const KPA = 'src/core/autoscaler/kpa.ts';
const SCALER = 'src/core/autoscaler/function-scaler.ts';
const WINDOW = 'src/core/autoscaler/window.ts';
const DELAY = 'src/core/autoscaler/scale-down-delay.ts';

function mutant(id: string, title: string, edit: Edit, source = 'own'): Mutant {
  return { id, group: 'autoscaler', title, source, edits: [edit], checks: ['tests'] };
}

export const autoscaler: readonly Mutant[] = [
  mutant(
    'forgets-and-scales-down',
    'an autoscaler that has just begun takes its empty memory for idleness',
    {
      file: SCALER,
      find: 'if (wanted.scale < current && nowMs <= watchedMs)',
      replace: 'if (wanted.scale < current && nowMs < this.#sinceMs)',
    },
    'knative/serving#2930',
  ),
  mutant(
    'growth-taken-back',
    'a limit on growth takes back what is already on its way',
    {
      file: KPA,
      find: 'const most = Math.max(current, Math.ceil(Math.max(1, this.#cycleReady) * scaling.maxScaleUpRate));',
      replace: 'const most = Math.ceil(Math.max(1, this.#cycleReady) * scaling.maxScaleUpRate);',
    },
    'knative/serving#3153',
  ),
  mutant('rates-per-decision', 'a rate is a factor of each decision, of which there are four a second', {
    file: KPA,
    find: '    if (nowMs - this.#cycleFromMs >= CYCLE_MS) {',
    replace: '    if (nowMs > this.#cycleFromMs) {',
  }),
  mutant('falls-in-panic', 'the scale falls while it panics', {
    file: KPA,
    find: 'this.#panicScale = Math.max(this.#panicScale, stable, panic);',
    replace: 'this.#panicScale = Math.max(stable, panic);',
  }),
  mutant('panic-ends-early', 'panic ends with its cause, and not a stable window later', {
    file: KPA,
    find: 'nowMs > this.#panicFromMs + stableWindowMs',
    replace: 'nowMs > this.#panicFromMs',
  }),
  mutant('never-panics', 'the panic threshold is taken for a factor, and is a percentage', {
    file: KPA,
    find: 'factor >= panicThresholdPct / 100',
    replace: 'factor >= panicThresholdPct',
  }),
  mutant('utilization-ignored', 'sandboxes are filled to their target in full', {
    file: KPA,
    find: 'const share = (total * scaling.targetUtilizationPct) / 100;',
    replace: 'const share = total;',
  }),
  mutant('never-at-zero', 'the activation scale is kept when nothing is wanted', {
    file: KPA,
    find: 'return wanted > 0 ? scaling.activation : 0;',
    replace: 'return scaling.activation;',
  }),
  mutant('burst-capacity-upside-down', 'the burst that is to find room is added to the room', {
    file: KPA,
    find: 'Math.floor(capacity - burstCapacity - load)',
    replace: 'Math.floor(capacity + burstCapacity - load)',
  }),
  mutant('no-grace', 'the last sandbox goes with the stable window, and not after the grace', {
    file: SCALER,
    find: 'nowMs >= zeroMs) return wanted;',
    replace: 'nowMs >= idleMs) return wanted;',
  }),
  mutant('grace-of-the-window', 'the grace begins when the load ends, and not when nothing is wanted', {
    file: SCALER,
    find: 'Math.max(this.#idleSinceMs + stableWindowMs, this.#unwantedSinceMs ?? nowMs)',
    replace: 'this.#idleSinceMs + stableWindowMs',
  }),
  mutant('min-above-max', 'the maximum gives way to what is wanted at least', {
    file: SCALER,
    find: 'if (max > 0 && Math.max(wanted.scale, min) > max)',
    replace: 'if (max > 0 && min === 0 && wanted.scale > max)',
  }),
  mutant('reports-weigh-alike', 'a load counts as often as it is reported, and not as long as it holds', {
    file: WINDOW,
    find: '    this.#openArea += this.#load * (nowMs - this.#atMs);\n',
    replace: '    this.#openArea += this.#load * (nowMs > this.#atMs ? 1 : 0);\n',
  }),
  mutant('silence-left-out', 'buckets in which nothing was reported count as zero', {
    file: WINDOW,
    find: '      this.#close(n, this.#load);\n',
    replace: '      this.#close(n, 0);\n',
  }),
  mutant('young-window-diluted', 'a window that has just begun is averaged over its whole length', {
    file: WINDOW,
    find: '/ Math.min(buckets, this.#open - this.#first + 1)',
    replace: '/ Math.max(buckets, this.#open - this.#first + 1)',
  }),
  mutant(
    'delay-of-the-last',
    'a scale-down delay keeps what was wanted last, and not the highest within it',
    {
      file: DELAY,
      find: 'return Math.max(desired, steps[0]?.desired ?? 0);',
      replace: 'return Math.max(desired, steps.at(-1)?.desired ?? 0);',
    },
  ),
  mutant('delay-shortened', 'steps that lie close together run out with the earliest of them', {
    file: DELAY,
    find: 'last.atMs = nowMs;',
    replace: 'last.atMs = last.sinceMs;',
  }),
];
