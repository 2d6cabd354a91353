//! Groups: names of other objects.

use super::object::{LINK, LINK_INFO, Object, SYMBOL_TABLE};
use super::{Block, Metadata, UNDEFINED, newer};
use crate::problem::{Problem, Read};

/// A name and the address of the object that it means.
pub(super) struct Link {
    pub(super) name: String,
    pub(super) address: u64,
}

/// The hard links of a group.
pub(super) fn links(metadata: &Metadata<'_, '_>, object: &Object) -> Read<Vec<Link>> {
    let mut links = Vec::new();
    for mut message in object.all(LINK) {
        links.extend(link(&mut message)?);
    }
    if let Some(mut info) = object.message(LINK_INFO) {
        info.skip(1)?;
        let flags = info.u8()?;
        info.skip(if flags & 1 != 0 { 8 } else { 0 })?;
        if info.u64()? != UNDEFINED {
            return Err(newer("it has a group with links in a fractal heap"));
        }
    }
    if let Some(mut table) = object.message(SYMBOL_TABLE) {
        let (tree, heap) = (table.u64()?, table.u64()?);
        let names = heap_data(metadata, heap)?;
        let mut waiting = vec![(tree, None)];
        while let Some((address, level)) = waiting.pop() {
            tree_node(metadata, address, level, &names, &mut waiting, &mut links)?;
        }
    }
    Ok(links)
}

/// A link message; `None` for a soft or external link.
fn link(message: &mut Block) -> Read<Option<Link>> {
    message.skip(1)?;
    let flags = message.u8()?;
    let hard = flags & 8 == 0 || message.u8()? == 0;
    message.skip(if flags & 4 != 0 { 8 } else { 0 })?;
    message.skip(if flags & 0x10 != 0 { 1 } else { 0 })?;
    let length = message.number(1 << (flags & 3))?;
    let name = message.take(usize::try_from(length).unwrap_or(usize::MAX))?;
    let name = String::from_utf8_lossy(name).into_owned();
    Ok(if hard {
        Some(Link {
            name,
            address: message.u64()?,
        })
    } else {
        None
    })
}

/// The data of a local heap.
fn heap_data(metadata: &Metadata<'_, '_>, address: u64) -> Read<Vec<u8>> {
    let mut heap = metadata.block(address, 32)?;
    heap.expect(b"HEAP")?;
    heap.skip(4)?;
    let length = heap.u64()?;
    heap.skip(8)?;
    let address = heap.u64()?;
    Ok(metadata.block(address, length)?.bytes)
}

/// Bytes of a symbol table's entry.
const SYMBOL: u64 = 40;

/// Reads a node of the tree of a group's names, or a table of them. A child lies exactly one level below, so that
/// the tree ends; `None` is the root, of any level.
fn tree_node(
    metadata: &Metadata<'_, '_>,
    address: u64,
    level: Option<u8>,
    names: &[u8],
    waiting: &mut Vec<(u64, Option<u8>)>,
    links: &mut Vec<Link>,
) -> Read<()> {
    if level == Some(u8::MAX) {
        return symbols(metadata, address, names, links);
    }
    let mut node = metadata.block(address, 8)?;
    node.expect(b"TREE")?;
    let (kind, own_level, count) = (node.u8()?, node.u8()?, node.u16()?);
    if kind != 0 || level.is_some_and(|level| level != own_level) || own_level == u8::MAX {
        return Err(Problem::damaged("the tree of a group's names is broken"));
    }
    let mut children = metadata.block(address.saturating_add(24), 16 * count as u64)?;
    for _ in 0..count {
        children.skip(8)?;
        // Below level 0 lie the tables of names.
        waiting.push((children.u64()?, Some(own_level.wrapping_sub(1))));
    }
    Ok(())
}

/// Reads a table of names.
fn symbols(
    metadata: &Metadata<'_, '_>,
    address: u64,
    names: &[u8],
    links: &mut Vec<Link>,
) -> Read<()> {
    let mut table = metadata.block(address, 8)?;
    table.expect(b"SNOD")?;
    table.skip(2)?;
    let count = table.u16()?;
    let mut table = metadata.block(address.saturating_add(8), SYMBOL * count as u64)?;
    for _ in 0..count {
        let (name, object, cache) = (table.u64()?, table.u64()?, table.number(4)?);
        table.skip(SYMBOL as usize - 20)?;
        let name = usize::try_from(name)
            .ok()
            .and_then(|start| names.get(start..))
            .and_then(|rest| rest.split(|&byte| byte == 0).next())
            .ok_or_else(|| Problem::damaged("a name of a group lies outside its heap"))?;
        // Many entries may point into one long name.
        metadata.spend(name.len() as u64)?;
        // 2 marks a soft link.
        if cache != 2 {
            links.push(Link {
                name: String::from_utf8_lossy(name).into_owned(),
                address: object,
            });
        }
    }
    Ok(())
}
