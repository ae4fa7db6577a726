/** Trouble with certificates or keys, which no second attempt could better. */
export interface TlsFailure {
  readonly what: string
  readonly fix: string
  /** May Node's own message quote the configuration, that is a key or its passphrase? Then it goes nowhere. */
  readonly isSecret: boolean
}

/** Node's codes for a certificate that was looked at and not accepted. */
const theirsRefused =
  /^(CERT_|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_|ERR_TLS_CERT_ALTNAME_INVALID|HOSTNAME_MISMATCH)/
/** Alerts by which the other side says that it does not take the certificate it was shown, or wants one. */
const oursRefused = /^ERR_SSL_.*ALERT_(.*CERTIFICATE.*|UNKNOWN_CA)$/
/** What reading `config.ssl` fails with before a byte is sent. */
const unusable = /^ERR_(OSSL_|INVALID_ARG_)/
const nothingInCommon = /^ERR_SSL_.*ALERT_(HANDSHAKE_FAILURE|PROTOCOL_VERSION|INSUFFICIENT_SECURITY)$/

/** @param code of Node's error. `null` when it is about something else. */
export function tlsFailure(code: unknown): TlsFailure | null {
  if (typeof code !== 'string') return null
  if (theirsRefused.test(code)) {
    return {
      what: `its certificate is not trusted (${code})`,
      fix: 'set config.ssl.ca to the authority that signed the broker certificate, and broker names it is made out to',
      isSecret: false,
    }
  }
  if (oursRefused.test(code)) {
    return {
      what: `it did not accept the certificate of this client (${code})`,
      fix: 'set config.ssl.cert and config.ssl.key to a certificate of an authority that this listener trusts',
      isSecret: false,
    }
  }
  if (unusable.test(code)) {
    return {
      what: `config.ssl cannot be used (${code})`,
      fix: 'check that ca, cert and key are PEM texts, that key and cert belong together, and that passphrase opens the key',
      isSecret: true,
    }
  }
  return null
}

/** What to think of when TLS failed for another reason. */
export function hintAtTls(code: string): string {
  if (nothingInCommon.test(code)) return '; have both sides a TLS version and a cipher in common?'
  return /SSL|EPROTO|TLS/.test(code) ? '; does this listener speak TLS?' : ''
}
