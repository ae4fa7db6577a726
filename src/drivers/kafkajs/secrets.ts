import type { KafkaConfig } from 'kafkajs'

const secretFields = ['password', 'secretAccessKey', 'sessionToken', 'accessKeyId'] as const
const MASK = '***'

/** Removes everything secret of the configuration from a text, also in base64. */
export function secretMask(sasl: KafkaConfig['sasl']): (text: string) => string {
  const fields = (sasl ?? {}) as Readonly<Record<string, unknown>>
  const secrets = secretFields
    .map((field) => fields[field])
    .filter((value): value is string => typeof value === 'string' && value.length > 0)
    .flatMap((secret) => [secret, Buffer.from(secret).toString('base64')])
  return (text) => secrets.reduce((masked, secret) => masked.replaceAll(secret, MASK), text)
}
