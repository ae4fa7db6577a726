import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { noLongerRemove, removeWithUs } from './reaper.js'

const run = promisify(execFile)
const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'] as const

export interface IssuedCertificate {
  /** PEM texts. */
  readonly key: string
  readonly certificate: string
  /** A file with key and certificate, as `ssl.keystore.location` with `ssl.keystore.type=PEM` takes it. */
  readonly keystorePath: string
}

export interface IssueOptions {
  /** As openssl's `subjectAltName`; default loopback by name and address. */
  readonly names?: string
  /** Encrypts `key`. */
  readonly passphrase?: string
}

/** A certificate authority of its own in a temporary folder, made by openssl. */
export interface CertificateAuthority extends AsyncDisposable {
  readonly certificate: string
  readonly certificatePath: string
  issue(name: string, options?: IssueOptions): Promise<IssuedCertificate>
  remove(): Promise<void>
}

export async function certificateAuthority(name: string): Promise<CertificateAuthority> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-ca-'))
  removeWithUs(folder)
  const at = (file: string) => join(folder, file)
  await openssl([
    ...['req', '-x509', ...newKey, '-nodes', '-days', '2', '-subj', `/CN=${name}`],
    ...['-addext', 'keyUsage=critical,keyCertSign', '-keyout', at('ca.key'), '-out', at('ca.pem')],
  ])
  const remove = async () => {
    await rm(folder, { recursive: true, force: true })
    noLongerRemove(folder)
  }
  return {
    certificate: await readFile(at('ca.pem'), 'utf8'),
    certificatePath: at('ca.pem'),
    async issue(subject, { names = 'DNS:localhost,IP:127.0.0.1', passphrase } = {}) {
      const [key, request, certificate, extensions] = ['key', 'csr', 'pem', 'ext'].map((end) => at(`${subject}.${end}`))
      const encryption = passphrase === undefined ? ['-nodes'] : ['-passout', `pass:${passphrase}`]
      await openssl(['req', ...newKey, ...encryption, '-subj', `/CN=${subject}`, '-keyout', key!, '-out', request!])
      await writeFile(extensions!, `subjectAltName=${names}\n`)
      await openssl([
        ...['x509', '-req', '-in', request!, '-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial'],
        ...['-days', '2', '-extfile', extensions!, '-out', certificate!],
      ])
      const issued = { key: await readFile(key!, 'utf8'), certificate: await readFile(certificate!, 'utf8') }
      const keystorePath = at(`${subject}.keystore.pem`)
      await writeFile(keystorePath, issued.key + issued.certificate)
      return { ...issued, keystorePath }
    },
    remove,
    [Symbol.asyncDispose]: remove,
  }
}

async function openssl(args: readonly string[]): Promise<void> {
  await run('openssl', args).catch((cause: unknown) => {
    throw new Error(`openssl ${args[0]} failed; is openssl installed?`, { cause })
  })
}
