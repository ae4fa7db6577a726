import type { KafkaConfig } from 'kafkajs'

const knownMechanism = /^(plain|scram-sha-(256|512)|aws|oauthbearer)$/i

const secretFields = ['password', 'secretAccessKey', 'sessionToken', 'accessKeyId'] as const
const MASK = '***'

/** Removes everything secret of the configuration from a text, also in base64. */
export function secretMask(sasl: KafkaConfig['sasl']): (text: string) => string {
  const fields = (sasl ?? {}) as Readonly<Record<string, unknown>>
  const { mechanism } = fields
  // One that is no mechanism may be a secret in the wrong place; kafkajs writes it in capitals.
  const misplaced =
    typeof mechanism === 'string' && !knownMechanism.test(mechanism) ? [mechanism, mechanism.toUpperCase()] : []
  const secrets = [...secretFields.map((field) => fields[field]), ...misplaced]
    .filter((value): value is string => typeof value === 'string' && value.length > 0)
    .flatMap((secret) => [secret, Buffer.from(secret).toString('base64')])
  return (text) => secrets.reduce((masked, secret) => masked.replaceAll(secret, MASK), text)
}
