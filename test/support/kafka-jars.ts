import { readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeClassArchive } from './class-archive.js'
import { cacheRoot, copyDependencies, installOnce } from './installations.js'
import { writeLoggingJar } from './kafka-logging.js'
import { requireCommand, run } from './run-command.js'

/** The versions the fault matrix runs on; `KAFKA_VERSION` chooses another. The driver contract runs on 3.3.2 and 4.4.0 too. */
export const newestKafka = '4.2.0'
export const oldestKafka = '3.9.1'
export const kafkaVersion = (): string => process.env['KAFKA_VERSION'] ?? newestKafka

/** One Kafka version on this machine, ready to start. */
export interface KafkaInstallation {
  readonly version: string
  readonly folder: string
  /** What `java -cp` takes. */
  readonly classpath: string
  /** A data folder as `StorageTool format` leaves it, without `meta.properties`: the feature levels of a new cluster. */
  readonly formattedData: string
  /** JVM flags by which a broker starts in two thirds of the time: its classes as the JVM keeps them in memory. */
  readonly quickStartFlags: readonly string[]
}

/** Raised when what an installation holds changes. */
const layout = 3

const kafkaRoot = (): string => process.env['TIDEMARK_KAFKA_CACHE'] ?? join(cacheRoot(), 'kafka')

/** Jars of one Kafka version, fetched from Maven Central on first use. Two processes may ask at once. */
export async function kafkaInstallation(version: string = kafkaVersion()): Promise<KafkaInstallation> {
  const folder = join(kafkaRoot(), `${version}-${layout}`)
  const finish = () => writeClassArchive(describe(version, folder), quickJvm, join(folder, 'classes.jsa'))
  await installOnce(folder, (staging) => install(version, staging), finish)
  return describe(version, folder)
}

const quickJvm = ['-Xms128m', '-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']

function describe(version: string, folder: string): KafkaInstallation {
  return {
    version,
    folder,
    classpath: `${join(folder, 'lib')}/*`,
    formattedData: join(folder, 'formatted'),
    quickStartFlags: [...quickJvm, `-XX:SharedArchiveFile=${join(folder, 'classes.jsa')}`],
  }
}

async function install(version: string, folder: string): Promise<void> {
  await requireCommand('java', ['-version'])
  await copyDependencies(folder, [`org.apache.kafka:kafka_2.13:${version}`, `org.apache.kafka:kafka-tools:${version}`])
  await bindLogging(folder)
  await writeLoggingJar(folder)
  await formatData(version, folder)
}

/** Kafka 4.x brings log4j 2 without the bridge from slf4j, and would log nothing. */
async function bindLogging(folder: string): Promise<void> {
  const log4j2 = (await readdir(join(folder, 'lib'))).find((jar) => /^log4j-core-.*\.jar$/.test(jar))
  if (log4j2 === undefined) return
  const version = log4j2.slice('log4j-core-'.length, -'.jar'.length)
  await copyDependencies(folder, [`org.apache.logging.log4j:log4j-slf4j-impl:${version}`])
}

/** Up to Kafka 4.3 this makes `bootstrap.checkpoint`, from 4.4 a first snapshot in `__cluster_metadata-0`. */
async function formatData(version: string, folder: string): Promise<void> {
  const { classpath, formattedData } = describe(version, folder)
  const properties = join(folder, 'format.properties')
  await writeFile(
    properties,
    `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:9093
controller.listener.names=CONTROLLER
listeners=CLIENT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093
listener.security.protocol.map=CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=CLIENT
log.dirs=${formattedData}
`,
  )
  const log = `-Dtidemark.log=${join(folder, 'format.log')}`
  const clusterId = 'dGlkZW1hcmtfX2Zvcm1hdA'
  await run('java', [log, '-cp', classpath, 'kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', properties])
  await rm(join(formattedData, 'meta.properties'))
}
