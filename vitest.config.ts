import { defineConfig, type ViteUserConfig } from 'vitest/config';

const common = { pool: 'forks', testTimeout: 30_000, hookTimeout: 180_000 } as const;

/**
 * `logic` needs nothing but the sources; `system` starts real processes from the compiled program, and comes after it, one file at a
 * time: clusters that share two cores with others lose their leaders for want of CPU, and what is specified here is not that.
 */
const config: ViteUserConfig = defineConfig({
  test: {
    projects: [
      {
        test: {
          ...common,
          name: 'logic',
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
          include: ['test/{unit,golden,property,sim,mutants}/**/*.test.ts'],
        },
      },
      {
        test: {
          ...common,
          name: 'system',
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
          include: ['test/{integration,e2e}/**/*.test.ts'],
          globalSetup: ['test/setup/build.ts'],
        },
      },
    ],
  },
});

export default config;
