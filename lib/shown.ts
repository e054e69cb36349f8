// How an object of ours shows itself to util.inspect and console.log: by its name and what JSON gets, so that there is
// one place to look for what must not be shown. Knows node's protocol for it; knows no object.

import { type InspectOptions, inspect } from 'node:util'

/** Node's name of the method by which `util.inspect` and `console.log` show an object. */
export const custom: typeof inspect.custom = inspect.custom

/** For a method of that name; `depth` and `options` are what node hands it. */
export const shown = (
  object: { readonly constructor: { readonly name: string }; toJSON(): object },
  depth: number,
  options: InspectOptions
): string => {
  const { name } = object.constructor
  return depth < 0 ? `[${name}]` : `${name} ${inspect(object.toJSON(), options)}`
}
