/** A broker as host:port, or what is wrong with the text. */
export type BrokerAddress = { readonly address: string } | { readonly problem: string }

const address = /^(\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9._-]+):(\d{1,5})$/

/** One entry of a list of brokers. */
export function parseBrokerAddress(text: string): BrokerAddress {
  // Any of it may be a password in the wrong place, so none of it is shown.
  if (/[@/?#]/.test(text)) return { problem: 'has an entry that looks like a URL' }
  const port = address.exec(text)?.[2]
  if (port === undefined) return { problem: 'has an entry that is not host:port' }
  if (Number(port) < 1 || Number(port) > 65_535) return { problem: 'has an entry without a valid port' }
  return { address: text }
}
