// Stryker's settings, but for what is mutated and which tests run then: main.ts says that for each file.

import type { LogLevel, PartialStrykerOptions } from '@stryker-mutator/api/core'

export const settings = {
  testRunner: 'tap',
  // A process per test file.
  tap: { nodeArgs: ['--import=tsx'], forceBail: true },
  plugins: ['@stryker-mutator/tap-runner', import.meta.resolve('./ignore-words.mjs')],
  ignorers: ['error-words'],
  coverageAnalysis: 'perTest',
  reporters: ['json'],
  concurrency: 1,
  timeoutMS: 5_000,
  timeoutFactor: 3,
  tempDirName: '.stryker/tmp',
  ignorePatterns: ['.stryker', '.tap', '.ci', 'bench', 'dist'],
  tsconfigFile: 'none', // to be left as it is: TypeScript 7 has no API to rewrite it with
  disableTypeChecks: false, // tsx looks at no types
  allowConsoleColors: false,
  logLevel: 'warn' as LogLevel
} satisfies PartialStrykerOptions
