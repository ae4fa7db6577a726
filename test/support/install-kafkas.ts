/** Fetches each Kafka version it is told, one after the other: what runs beside each other later finds them there. */
import { kafkaInstallation } from './kafka-jars.js'

for (const version of process.argv.slice(2)) console.log((await kafkaInstallation(version)).folder)
