/** What a data plane counts. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

const LATENCY_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export interface GaugeSources {
  inFlight(): number;
  queued(): number;
  endpoints(): number;
  unconfirmed(): number;
  functions(): number;
  endpointSeq(): number;
  specIndex(): number;
  term(): number;
  synced(): boolean;
}

export class DataPlaneMetrics {
  readonly registry: Registry;
  /** By outcome: `ok` for whatever a function answered, or the reason of the platform's own answer. */
  readonly requests: Counter<'outcome'>;
  readonly queueSeconds: Histogram;
  readonly headSeconds: Histogram;
  readonly retries: Counter<'cause'>;
  readonly forwarded: Counter;
  readonly brokenResponses: Counter;
  readonly demands: Counter;
  readonly lookups: Counter<'answer'>;
  readonly pulls: Counter<'stream'>;
  readonly malformed: Counter<'kind'>;
  readonly fenced: Counter;
  readonly withdrawals: Counter;

  constructor(registry: Registry, sources: GaugeSources) {
    this.registry = registry;
    const registers = [registry];
    const counter = <L extends string>(name: string, help: string, labelNames: L[]): Counter<L> =>
      new Counter({ name: `baton_data_plane_${name}`, help, labelNames, registers });
    const histogram = (name: string, help: string): Histogram =>
      new Histogram({ name: `baton_data_plane_${name}`, help, buckets: LATENCY_SECONDS, registers });
    this.requests = counter('requests_total', 'Invocations ended, by outcome', ['outcome']);
    this.queueSeconds = histogram('queue_seconds', 'From arrival to dispatch');
    this.headSeconds = histogram('head_seconds', 'From dispatch to the response head');
    this.retries = counter('retries_total', 'Attempts beyond the first, by cause', ['cause']);
    this.forwarded = counter('forwarded_total', 'Requests handed to the owning data plane', []);
    this.brokenResponses = counter('broken_responses_total', 'Responses whose sandbox failed midway', []);
    this.demands = counter('demand_messages_total', 'Demand messages sent, repeats included', []);
    this.lookups = counter('lookups_total', 'Names asked of the leader, by answer', ['answer']);
    this.pulls = counter('pulls_total', 'Snapshots pulled', ['stream']);
    this.malformed = counter(
      'malformed_messages_total',
      'Bus messages dropped because nobody can read them',
      ['kind'],
    );
    this.fenced = counter('fenced_messages_total', 'Bus messages refused because of a lower fence', []);
    this.withdrawals = counter('withdrawals_total', 'Endpoints taken out on a leader’s word', []);
    this.#gauges(sources, registers);
  }

  #gauges(sources: GaugeSources, registers: Registry[]): void {
    const gauge = (name: string, help: string, read: () => number): void => {
      const registered: Gauge = new Gauge({
        name: `baton_data_plane_${name}`,
        help,
        registers,
        collect: () => registered.set(read()),
      });
    };
    gauge('in_flight', 'Requests in flight', () => sources.inFlight());
    gauge('queued', 'Requests waiting for a slot', () => sources.queued());
    gauge('endpoints', 'Endpoints in the table', () => sources.endpoints());
    gauge('endpoints_unconfirmed', 'Endpoints that the present leader has not confirmed', () =>
      sources.unconfirmed(),
    );
    gauge('functions', 'Functions known', () => sources.functions());
    gauge('endpoint_seq', 'Last endpoint batch applied', () => sources.endpointSeq());
    gauge('spec_index', 'Specifications applied up to this index', () => sources.specIndex());
    gauge('term', 'Highest term seen', () => sources.term());
    gauge('synced', '1 once the tables have been filled', () => (sources.synced() ? 1 : 0));
  }
}
