import { certificateAuthority, type CertificateAuthority, type IssuedCertificate } from './tls.js'
import { java } from './java.js'
import { startCluster, type KafkaCluster } from './kafka-cluster.js'
import type { ClientListener } from './kafka-properties.js'

export const user = 'alice'
export const password = 'the-right-password-of-alice'
export const reauthenticationMs = 5_000

/** One node that listens in every way Kafka has. CLIENT speaks plain text. */
export interface SecuredCluster {
  readonly cluster: KafkaCluster
  /** Signed the brokers' certificates, and is whom MTLS trusts. */
  readonly authority: CertificateAuthority
  /** Creates a user for SCRAM-SHA-512, or changes its password. */
  setPassword(username: string, secret: string): Promise<void>
  stop(): Promise<void>
}

/**
 * - TLS: SSL. OTHERNAME: SSL with a certificate for another name. MTLS: SSL that wants a certificate of the client.
 * - SASL: SASL_PLAINTEXT. SASLTLS: SASL_SSL. Both with PLAIN and SCRAM-SHA-512, and sessions of `reauthenticationMs`.
 * - OAUTH: SASL_PLAINTEXT with OAUTHBEARER; Kafka's own check of tokens, which looks at their times and asks for no signature.
 */
export async function startSecuredCluster(): Promise<SecuredCluster> {
  const authority = await certificateAuthority('tidemark-test-authority')
  const broker = await authority.issue('broker')
  const elsewhere = await authority.issue('elsewhere', { names: 'DNS:kafka.example.test' })
  const mtls = {
    'ssl.client.auth': 'required',
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': authority.certificatePath,
  }
  const cluster = await startCluster({
    moreListeners: {
      TLS: listener('tls', 'SSL', keystore(broker)),
      OTHERNAME: listener('othername', 'SSL', keystore(elsewhere)),
      MTLS: listener('mtls', 'SSL', { ...keystore(broker), ...mtls }),
      SASL: listener('sasl', 'SASL_PLAINTEXT', sasl),
      SASLTLS: listener('sasltls', 'SASL_SSL', { ...keystore(broker), ...sasl }),
      OAUTH: listener('oauth', 'SASL_PLAINTEXT', oauth),
    },
    properties: { 'connections.max.reauth.ms': reauthenticationMs },
  })
  const stop = async () => {
    await cluster.stop()
    await authority.remove()
  }
  const setPassword = async (username: string, secret: string) => {
    await java(cluster.installation, 'kafka.admin.ConfigCommand', [
      ...['--bootstrap-server', cluster.internalBrokers.join(','), '--alter'],
      ...['--entity-type', 'users', '--entity-name', username, '--add-config', `SCRAM-SHA-512=[password=${secret}]`],
    ])
  }
  try {
    // The users of PLAIN are in the broker's properties, those of SCRAM in the cluster's metadata.
    await setPassword(user, password)
  } catch (error) {
    await stop()
    throw error
  }
  return { cluster, authority, setPassword, stop }
}

const sasl = {
  'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-512',
  'plain.sasl.jaas.config': `org.apache.kafka.common.security.plain.PlainLoginModule required user_${user}="${password}";`,
  'scram-sha-512.sasl.jaas.config': 'org.apache.kafka.common.security.scram.ScramLoginModule required;',
}

const oauth = {
  'sasl.enabled.mechanisms': 'OAUTHBEARER',
  'oauthbearer.sasl.jaas.config':
    'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";',
}

/** A token as Kafka's own check takes it. @param livesForMs from now on; below zero it has expired */
export function unsignedToken(livesForMs: number, subject = user): string {
  const now = Date.now()
  const issuedAt = Math.floor(Math.min(now, now + livesForMs) / 1_000) - 60
  const claims = { sub: subject, iat: issuedAt, exp: (now + livesForMs) / 1_000 }
  const part = (content: object) => Buffer.from(JSON.stringify(content)).toString('base64url')
  return `${part({ alg: 'none' })}.${part(claims)}.`
}

const keystore = ({ keystorePath }: IssuedCertificate) => ({
  'ssl.keystore.type': 'PEM',
  'ssl.keystore.location': keystorePath,
})

function listener(
  name: string,
  protocol: ClientListener['protocol'],
  properties: Readonly<Record<string, string>>,
): ClientListener {
  const own = Object.entries(properties).map(([key, value]) => [`listener.name.${name}.${key}`, value])
  return { protocol, properties: Object.fromEntries(own) as Record<string, string> }
}
