import { ConfigError } from '../errors.js'
import { came } from '../input/came.js'
import { unknownOption } from '../input/option-rules.js'

/** They are given, and there is none among them that the call does not have. @throws ConfigError */
export function requireOptions<Options extends object>(
  call: string,
  options: Options,
  names: readonly (keyof Options & string)[],
): Options {
  if (typeof options !== 'object' || options === null) {
    throw new ConfigError(call, [{ path: 'options', message: came(options), fix: 'write an object' }])
  }
  const unknown = Object.keys(options).filter((name) => !(names as readonly string[]).includes(name))
  if (unknown.length === 0) return options
  throw new ConfigError(
    call,
    unknown.map((name) => unknownOption(name, names)),
  )
}
