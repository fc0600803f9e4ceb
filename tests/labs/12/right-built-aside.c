/* The entry is built in a block of its own on the stack and copied; the times come before the name goes. */
/* REGION entry */
	struct {
		struct ext4_dirent head;
		char name[EXT4_NAME_MAX + 1];
	} new = {.head = {.name_len = e->len, .file_type = e->type}};

	memcpy((char *)&new + EXT4_DIRENT_HEAD, e->name, e->len);
	fresh = de->inode ? (struct ext4_dirent *)(void *)((uint8_t *)de + used) : de;
	new.head.inode = de->inode ? e->ino : 0;
	new.head.rec_len = (uint16_t)(de->inode ? de->rec_len - used : de->rec_len);
	memcpy(fresh, &new, need);
	pm_wb(fs, fresh, need);
	pm_fence(fs);
	(void)put;
	if (de != fresh)
		pm_set16(fs, &de->rec_len, (uint16_t)used);
	else
		pm_set32(fs, &de->inode, e->ino);
	pm_fence(fs);
	return fresh;
/* REGION unname */
	if (links == 0)
		ext4_orphan_add(victim);
	ext4_stamp(fs, victim->raw, EXT4_CTIME);
	ext4_touch(dir);
	ext4_dir_remove(dir, slot);
	ext4_store_links(victim, links);
	pm_fence(fs);
