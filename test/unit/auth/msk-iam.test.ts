import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { ConfigError } from 'tidemark'
import { mskIam, type AwsCredentials, type MskIamOptions } from 'tidemark/auth'
import { mskIamAt } from '../../../src/auth/msk-iam.js'
import { virtualClock } from '../../../src/testing/time/virtual-clock.js'

interface Vector {
  readonly region: string
  readonly credentials: Omit<AwsCredentials, 'expiration'>
  readonly livesForS: number | null
  readonly query: Readonly<Record<string, string>>
}

const { signedAt, vectors } = JSON.parse(
  await readFile(new URL('../../vectors/msk-iam.json', import.meta.url), 'utf8'),
) as { readonly signedAt: number; readonly vectors: readonly Vector[] }

const decoded = (token: string) => new URL(Buffer.from(token, 'base64url').toString())

function signing(credentials: () => AwsCredentials | Promise<AwsCredentials>, region = 'eu-central-1') {
  const clock = virtualClock({ start: signedAt })
  return { clock, token: async () => (await mskIamAt({ region, credentials }, clock).oauthBearerProvider()).value }
}

const keys: AwsCredentials = { accessKeyId: 'AKID', secretAccessKey: 's3cret' }

describe('mskIam', () => {
  it.each(vectors)("signs as Amazon's own signer does: $region, $livesForS", async (vector) => {
    const { region, credentials, livesForS, query } = vector
    const expiration = livesForS === null ? undefined : new Date(signedAt + livesForS * 1_000)
    const { token } = signing(() => ({ ...credentials, expiration }), region)
    const url = decoded(await token())
    expect(url.origin + url.pathname).toBe(`https://kafka.${region}.amazonaws.com/`)
    expect(Object.fromEntries(url.searchParams)).toEqual({ ...query, 'User-Agent': 'tidemark' })
  })

  it('signs anew after 80 % of what the token or its credentials live, and asks for the credentials again', async () => {
    for (const [livesForS, freshForS] of [
      [7_200, 720],
      [300, 240],
    ] as const) {
      const clock = virtualClock({ start: signedAt })
      let asked = 0
      const credentials = () => {
        asked += 1
        return { ...keys, expiration: new Date(clock.wallTime() + livesForS * 1_000) }
      }
      const { mechanism, oauthBearerProvider } = mskIamAt({ region: 'eu-central-1', credentials }, clock)
      expect(mechanism).toBe('oauthbearer')
      const first = await Promise.all([oauthBearerProvider(), oauthBearerProvider()])
      expect(first[0]).toEqual(first[1])
      await clock.advance(freshForS * 1_000 - 1)
      expect([await oauthBearerProvider(), asked]).toEqual([first[0], 1])
      await clock.advance(1)
      expect(await oauthBearerProvider()).not.toEqual(first[0])
      expect(asked).toBe(2)
    }
  })

  it('says why there is no token, and never the credentials', async () => {
    const failing: readonly [() => AwsCredentials | Promise<AwsCredentials>, RegExp][] = [
      [() => Promise.reject(new Error('s3cret')), /function for the credentials of mskIam failed; see its cause/],
      [() => ({ ...keys, secretAccessKey: '' }), /gave no accessKeyId and secretAccessKey/],
      [() => ({ ...keys, expiration: new Date(signedAt) }), /credentials that mskIam was given have expired/],
      [() => ({ ...keys, expiration: new Date(NaN) }), /have expired/],
    ]
    for (const [credentials, expected] of failing) {
      const failure = await signing(credentials)
        .token()
        .catch((error: unknown) => error as Error)
      expect(failure).toMatchObject({ code: 'no-token', retriable: true })
      expect((failure as Error).message).toMatch(expected)
      expect(JSON.stringify(failure) + String(failure)).not.toContain('s3cret')
    }
  })

  it('goes on after credentials that never came', async () => {
    let isDown = true
    const { clock, token } = (() => {
      const started = virtualClock({ start: signedAt })
      const credentials = () => (isDown ? new Promise<AwsCredentials>(() => undefined) : keys)
      const sasl = mskIamAt({ region: 'eu-central-1', credentials, timeoutMs: 500 }, started)
      return { clock: started, token: () => sasl.oauthBearerProvider() }
    })()
    const late = expect(token()).rejects.toThrow(/credentials of mskIam did not answer within 500 ms/)
    await clock.advance(500)
    await late
    isDown = false
    expect(decoded((await token()).value).searchParams.get('Action')).toBe('kafka-cluster:Connect')
  })

  it('refuses what cannot be, at once and together', () => {
    const refused = (options: unknown) => () => mskIam(options as MskIamOptions)
    expect(refused({ region: 'Frankfurt', credentials: keys, timeoutMs: 0 })).toThrow(ConfigError)
    expect(refused({ region: 'Frankfurt', credentials: keys, timeoutMs: 0 })).toThrow(/region.*credentials.*timeoutMs/s)
    expect(refused({})).toThrow(/region.*credentials/s)
    expect(refused(undefined)).toThrow(ConfigError)
    expect(refused({ region: 'eu-central-1', credentials: keys })).not.toThrow(/s3cret/)
  })
})
