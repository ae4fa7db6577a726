import { existsSync } from 'node:fs'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { withLock } from './file-lock.js'
import { requireCommand, run } from './run-command.js'

/** Where the programs of the tests are kept from run to run. */
export const cacheRoot = (): string => join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'tidemark')

/** Fills a folder on first use, whole or not at all. Two processes may ask at once. */
export async function installOnce(
  folder: string,
  install: (staging: string) => Promise<void>,
  finish: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  if (existsSync(folder)) return
  await mkdir(dirname(folder), { recursive: true })
  await withLock(`${folder}.lock`, async () => {
    if (existsSync(folder)) return
    const staging = `${folder}.part`
    await rm(staging, { recursive: true, force: true })
    await mkdir(staging, { recursive: true })
    await install(staging)
    await rename(staging, folder)
    await finish()
  })
}

/** Puts jars with all that they need into `lib` of a folder. Coordinates as `group:artifact:version`. */
export async function copyDependencies(folder: string, coordinates: readonly string[]): Promise<void> {
  const dependencies = coordinates.map((coordinate) => {
    const [groupId, artifactId, version] = coordinate.split(':')
    return `<dependency><groupId>${groupId}</groupId><artifactId>${artifactId}</artifactId><version>${version}</version></dependency>`
  })
  const pom = join(folder, 'pom.xml')
  await writeFile(
    pom,
    `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>tidemark</groupId><artifactId>tests</artifactId><version>1</version>
<dependencies>${dependencies.join('\n')}</dependencies></project>\n`,
  )
  const target = `-DoutputDirectory=${join(folder, 'lib')}`
  await maven(['-f', pom, 'dependency:copy-dependencies', target], coordinates)
}

/** Puts one file of Maven Central into a folder. Coordinates as `group:artifact:version:packaging:classifier`. */
export async function copyArtifact(folder: string, coordinate: string): Promise<void> {
  await maven(['dependency:copy', `-Dartifact=${coordinate}`, `-DoutputDirectory=${folder}`], [coordinate])
}

async function maven(args: readonly string[], coordinates: readonly string[]): Promise<void> {
  await requireCommand('mvn', ['-version'])
  await run('mvn', ['-q', '-B', ...args]).catch((cause: unknown) => {
    const output = (cause as { stdout?: string }).stdout ?? ''
    throw new Error(`Maven could not fetch ${coordinates.join(', ')}; is Maven Central reachable?\n${output}`, {
      cause,
    })
  })
}
