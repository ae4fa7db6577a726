import { expectSeeds } from './expect-seeds.js'

expectSeeds(201, 50)
