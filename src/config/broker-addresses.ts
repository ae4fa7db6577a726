/** A broker as host:port, or what is wrong with the text. */
export type BrokerAddress = { readonly address: string } | { readonly problem: string }

const address = /^(\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9._-]+):(\d{1,5})$/

/** One entry of a list of brokers. */
export function parseBrokerAddress(text: string): BrokerAddress {
  // A URL may carry a password, so no text is shown that has one of its signs.
  if (/[@/?#]/.test(text)) return { problem: 'looks like a URL' }
  const port = address.exec(text)?.[2]
  if (port === undefined) return { problem: `${JSON.stringify(text)} is not host:port` }
  if (Number(port) < 1 || Number(port) > 65_535) return { problem: `${JSON.stringify(text)} has no valid port` }
  return { address: text }
}
