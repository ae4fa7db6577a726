import { systemClock, type Clock } from '../runtime/clock.js'
import { TokenSource, type TokenQuestion } from './token-source.js'

/** The `sasl` of kafkajs's configuration. */
export interface OauthSasl {
  readonly mechanism: 'oauthbearer'
  readonly oauthBearerProvider: () => Promise<{ value: string; extensions?: { [name: string]: string } }>
}

/** Of all requests for tokens; less than kafkajs's `authenticationTimeout`, so that the reason is told. */
export const defaultTimeoutMs = 8_000

/** One token for all connections of a configuration. */
export function bearerSasl(
  question: TokenQuestion,
  extensions?: Readonly<Record<string, string>>,
  clock: Clock = systemClock,
): OauthSasl {
  const tokens = new TokenSource(question, clock)
  return {
    mechanism: 'oauthbearer',
    oauthBearerProvider: async () => {
      const value = await tokens.get()
      return extensions === undefined ? { value } : { value, extensions: { ...extensions } }
    },
  }
}
