"""Carries out one task of `ftpspec check-client` with ftplib of Python."""

import ftplib
import os
import socket
import ssl
import sys


def value(name):
    return os.environ["FTPSPEC_" + name]


def connected():
    timeout = float(value("TIMEOUT"))
    if value("TLS") == "clear":
        ftp = ftplib.FTP(timeout=timeout)
    else:
        context = ssl.create_default_context(cafile=value("CA"))
        ftp = ftplib.FTP_TLS(context=context, timeout=timeout)
    ftp.encoding = "utf-8"
    ftp.connect(value("HOST"), int(value("PORT")))
    if value("TLS") != "clear":
        ftp.auth()
    ftp.login(value("USER"), value("PASSWORD"))
    if value("TLS") != "clear":
        ftp.prot_p()
    ftp.set_pasv(value("MODE") == "passive")
    return ftp


def login(ftp):
    pass


def upload(ftp):
    with open(value("LOCAL"), "rb") as file:
        ftp.storbinary("STOR " + value("REMOTE"), file)


def download(ftp):
    with open(value("LOCAL"), "wb") as file:
        ftp.retrbinary("RETR " + value("REMOTE"), file.write)


def resume_download(ftp):
    with open(value("LOCAL"), "ab") as file:
        ftp.retrbinary("RETR " + value("REMOTE"), file.write, rest=file.tell())


def resume_upload(ftp):
    ftp.voidcmd("TYPE I")
    start = ftp.size(value("REMOTE"))
    with open(value("LOCAL"), "rb") as file:
        file.seek(start)
        ftp.storbinary("STOR " + value("REMOTE"), file, rest=start)


def list_directory(ftp):
    ftp.dir(value("REMOTE"))


def mkdir(ftp):
    ftp.mkd(value("REMOTE"))


def rename(ftp):
    ftp.rename(value("REMOTE"), value("TO"))


def delete(ftp):
    ftp.delete(value("REMOTE"))


TASKS = {
    "login": login,
    "upload": upload,
    "download": download,
    "resume-upload": resume_upload,
    "resume-download": resume_download,
    "list": list_directory,
    "mkdir": mkdir,
    "rename": rename,
    "delete": delete,
}


def main():
    task = TASKS.get(value("TASK"))
    if task is None or value("TLS") == "implicit":
        return 127
    try:
        ftp = connected()
        task(ftp)
        ftp.quit()
    except (ftplib.Error, OSError, EOFError, ValueError, socket.timeout) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
