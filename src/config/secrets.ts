const secretName = /pass|secret|token|credential|private|sasl|authorization|^(ca|cert|key|pfx|pem)$/i

/** Does a dotted path lead to something that must never be shown? Errs on the side of hiding. */
export function isSecretPath(path: string): boolean {
  return path.split('.').some((name) => secretName.test(name))
}
