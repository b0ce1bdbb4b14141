// What administrators offer: flavors and availability zones, each by a profile that says what a provider makes of it.
import { boolean, pgTable, text, timestamp, uuid } from 'drizzle-orm/pg-core';

const moment = (name: string) => timestamp(name, { withTimezone: true, precision: 3 });
const times = () => ({
  createdAt: moment('created_at').notNull().defaultNow(),
  updatedAt: moment('updated_at').notNull().defaultNow(),
});

export const flavorProfiles = pgTable('flavor_profiles', {
  id: uuid().primaryKey(),
  name: text().notNull(),
  providerName: text('provider_name').notNull(),
  /** JSON, as it was given. */
  flavorData: text('flavor_data').notNull(),
  ...times(),
});

export const flavors = pgTable('flavors', {
  id: uuid().primaryKey(),
  name: text().notNull().unique(),
  description: text().notNull(),
  enabled: boolean().notNull(),
  flavorProfileId: uuid('flavor_profile_id')
    .notNull()
    .references(() => flavorProfiles.id, { onDelete: 'restrict' }),
  ...times(),
});

export const availabilityZoneProfiles = pgTable('availability_zone_profiles', {
  id: uuid().primaryKey(),
  name: text().notNull(),
  providerName: text('provider_name').notNull(),
  /** JSON, as it was given. */
  availabilityZoneData: text('availability_zone_data').notNull(),
  ...times(),
});

/** Known by name. */
export const availabilityZones = pgTable('availability_zones', {
  name: text().primaryKey(),
  description: text().notNull(),
  enabled: boolean().notNull(),
  availabilityZoneProfileId: uuid('availability_zone_profile_id')
    .notNull()
    .references(() => availabilityZoneProfiles.id, { onDelete: 'restrict' }),
  ...times(),
});
