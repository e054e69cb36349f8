// What both ends must have in common: the application's protocol and a cipher suite. Knows the options'
// names.

import type { SuiteName } from '../index.ts'
import type { Args, Option } from './args.ts'

export const PROTOCOL: readonly Option[] = [
  { name: 'app', value: 'NAME', text: "the name of the application's protocol, the same at both ends" },
  { name: 'suite', value: 'NAME', multiple: true, text: 'a cipher suite to use, by preference' }
]

/** As the library takes it; it says what is wrong with a name. */
export function protocolOf(args: Args): { app?: string; suites?: SuiteName[] } {
  const app = args.text('app')
  const suites = args.list('suite') as SuiteName[]
  return { ...(app !== undefined && { app }), ...(suites.length > 0 && { suites }) }
}
