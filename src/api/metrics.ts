/** A replica's metrics in the text format of Prometheus (version 0.0.4); what is known of the process is beside them. */
import type { Metric } from './backend.ts';

export const METRICS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export function renderMetrics(metrics: readonly Metric[]): string {
  const lines: string[] = [];
  for (const { name, type, help, samples } of [...metrics, ...processMetrics()]) {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    for (const { labels, value } of samples) lines.push(`${name}${labelText(labels)} ${value}`);
  }
  return `${lines.join('\n')}\n`;
}

/** Under the names that every Prometheus client gives them. */
export function processMetrics(): Metric[] {
  const { rss } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  return [
    {
      name: 'process_resident_memory_bytes',
      type: 'gauge',
      help: 'Resident memory',
      samples: [{ labels: {}, value: rss }],
    },
    {
      name: 'process_cpu_seconds_total',
      type: 'counter',
      help: 'Processor time, user and system',
      samples: [{ labels: {}, value: (user + system) / 1e6 }],
    },
  ];
}

function labelText(labels: Metric['samples'][number]['labels']): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
