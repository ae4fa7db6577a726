export interface Address {
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
}

/** Where a server is, and who asks: `fetch` takes no name and password within an address. Throws where it is none. */
export function addressOf(text: string): Address {
  const url = new URL(text)
  const asked = [url.username, url.password].map(decodeURIComponent).join(':')
  Object.assign(url, { username: '', password: '' })
  return { url, headers: asked === ':' ? {} : { authorization: `Basic ${Buffer.from(asked).toString('base64')}` } }
}
